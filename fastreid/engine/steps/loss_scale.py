"""Loss scaling for mixed precision: keeps small gradients in float16, and detects overflows."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

# The defaults of PyTorch's GradScaler, which fast-reid trains with.
INITIAL_SCALE = 65536
FACTOR = 2
STEPS_UNTIL_LARGER = 2000


class LossScale(nn.Cell):
    """Multiply the loss before the backward pass and divide the gradients after it.

    At an overflow the update is skipped and the scale is halved; after 2,000 steps without an
    overflow the scale is doubled (Micikevicius et al., "Mixed Precision Training", ICLR 2018,
    section 3.2).

    Args:
        enabled: whether to scale; False leaves losses and gradients as they are.
    """

    def __init__(self, *, enabled: bool = False) -> None:
        super().__init__(auto_prefix=False)
        self.enabled = enabled
        self.scaler: Any = (
            ms.amp.DynamicLossScaler(INITIAL_SCALE, FACTOR, STEPS_UNTIL_LARGER) if enabled else None
        )

    def scale(self, total: Tensor) -> Tensor:
        """Multiply a scalar loss."""
        return total if self.scaler is None else self.scaler.scale(total)

    def unscale(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Divide gradients of any shapes."""
        return gradients if self.scaler is None else self.scaler.unscale(gradients)

    def is_finite(self, total: Tensor, gradients_finite: Tensor) -> Tensor:
        """Tell whether a step was finite, where overflows that a smaller scale avoids count as so.

        Args:
            total: sum of the unscaled losses, a scalar.
            gradients_finite: whether the gradients are finite, a bool scalar.

        Returns:
            A bool scalar: the gradients are finite, or the loss is finite and the scale above 1.
        """
        if self.scaler is None:
            return gradients_finite
        can_shrink = ops.logical_and(ops.isfinite(total), self.scaler.scale_value > 1)
        return ops.logical_or(gradients_finite, can_shrink)

    def adjust(self, gradients_finite: Tensor) -> Tensor:
        """Set the scale of the next step.

        Args:
            gradients_finite: whether the gradients of this step are finite, a bool scalar.

        Returns:
            The argument, available once the scale is set.
        """
        if self.scaler is None:
            return gradients_finite
        return ops.depend(gradients_finite, self.scaler.adjust(gradients_finite))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy what a resumed run needs: the scale and the number of steps since it changed."""
        return {
            "scale": self.scaler.scale_value.asnumpy().copy(),
            "steps": self.scaler.counter.asnumpy().copy(),
        }

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state_dict` returned."""
        for parameter, key in ((self.scaler.scale_value, "scale"), (self.scaler.counter, "steps")):
            ops.assign(parameter, Tensor(np.asarray(state[key]), parameter.dtype))
