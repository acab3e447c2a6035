"""What an adaptive optimizer computes once a step, from the number of the step.

Computed in float64: in float32, 1 - 0.999^t has only five correct digits.
"""

from __future__ import annotations

import math

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

_BETA1, _BETA2 = 0.9, 0.999


class BiasCorrections(nn.Cell):
    """1 / (1 - beta1^t) and 1 / sqrt(1 - beta2^t)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_beta1 = Tensor(math.log(_BETA1), ms.float64)
        self.log_beta2 = Tensor(math.log(_BETA2), ms.float64)

    def construct(self, step: Tensor) -> tuple[Tensor, ...]:
        """Compute two float32 scalars from the step count, a float64 scalar."""
        first = 1 - ops.exp(step * self.log_beta1)
        second = 1 - ops.exp(step * self.log_beta2)
        return ops.cast(1 / first, ms.float32), ops.cast(1 / ops.sqrt(second), ms.float32)


class NesterovWeights(nn.Cell):
    """NAdam's weights of g and of m in a step, and 1 / sqrt(1 - beta2^t).

    They are (1 - mu_t) / (1 - P_t) and mu_{t+1} / (1 - P_t mu_{t+1}), where P_t is the product of
    the momenta mu_1 to mu_t, mu_t = beta1 (1 - 0.96^(0.004 t) / 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.beta1 = Tensor(_BETA1, ms.float64)
        self.log_decay = Tensor(4e-3 * math.log(0.96), ms.float64)
        self.log_beta2 = Tensor(math.log(_BETA2), ms.float64)
        self.product = Parameter(Tensor(1.0, ms.float32), name="product", requires_grad=False)

    def construct(self, step: Tensor) -> tuple[Tensor, ...]:
        """Compute three float32 scalars from the step count, a float64 scalar."""
        momentum, following = self._momentum(step), self._momentum(step + 1)
        product = ops.cast(self.product, ms.float64) * momentum
        kept = ops.assign(self.product, ops.cast(product, ms.float32))
        of_gradient = ops.depend((1 - momentum) / (1 - product), kept)
        of_mean = following / (1 - product * following)
        root = ops.sqrt(1 - ops.exp(step * self.log_beta2))
        return (
            ops.cast(of_gradient, ms.float32),
            ops.cast(of_mean, ms.float32),
            ops.cast(1 / root, ms.float32),
        )

    def _momentum(self, step: Tensor) -> Tensor:
        return self.beta1 * (1 - ops.exp(step * self.log_decay) / 2)


class Rectification(nn.Cell):
    """RAdam's 1 / (1 - beta1^t), 1 while the variance is not tractable, and r_t sqrt(1 - beta2^t).

    rho_t = rho - 2 t beta2^t / (1 - beta2^t), and the variance is tractable if rho_t > 5.
    """

    def __init__(self) -> None:
        super().__init__()
        longest = 2 / (1 - _BETA2) - 1
        self.longest = Tensor(longest, ms.float64)
        self.scale = Tensor(longest / ((longest - 4) * (longest - 2)), ms.float64)
        self.log_beta1 = Tensor(math.log(_BETA1), ms.float64)
        self.log_beta2 = Tensor(math.log(_BETA2), ms.float64)

    def construct(self, step: Tensor) -> tuple[Tensor, ...]:
        """Compute three float32 scalars from the step count, a float64 scalar."""
        power = ops.exp(step * self.log_beta2)
        length = self.longest - 2 * step * power / (1 - power)
        is_tractable = ops.cast(length > 5, ms.float64)
        squared = is_tractable * (length - 4) * (length - 2) * self.scale / length * (1 - power)
        return (
            ops.cast(1 / (1 - ops.exp(step * self.log_beta1)), ms.float32),
            ops.cast(1 - is_tractable, ms.float32),
            ops.cast(ops.sqrt(squared), ms.float32),
        )
