"""Update rules of adaptive optimizers, with the equations and constants of `torch.optim`.

In the equations g is the gradient, w the parameter, t the number of the step, counted from 1, and
d the weight decay. It is *coupled* where g + d w takes the place of g.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from .factors import BiasCorrections, NesterovWeights, Rectification
from .grouped import with_decay

# Primitives compile faster than operators and functions, which dispatch on their arguments.
_add, _sub, _mul, _div, _sqrt = ops.Add(), ops.Sub(), ops.Mul(), ops.Div(), ops.Sqrt()
_abs, _square, _maximum = ops.Abs(), ops.Square(), ops.Maximum()
_assign, _assign_sub = ops.Assign(), ops.AssignSub()

# 1 - beta1 and 1 - beta2; a compiled graph would subtract in float32.
_SHARE1, _SHARE2 = 0.1, 0.001
_EPSILON = 1e-8

# The learning rate and the factors of the step.
Numbers = tuple[Tensor, ...]


def _learning_rate(numbers: Numbers, _parameter: Parameter, _direction: Tensor) -> Tensor:
    """Return the learning rate."""
    return numbers[0]


def _corrected_rate(numbers: Numbers, _parameter: Parameter, _direction: Tensor) -> Tensor:
    """Correct the learning rate for the bias of m."""
    return _mul(numbers[0], numbers[1])


def _trusted_rate(numbers: Numbers, parameter: Parameter, direction: Tensor) -> Tensor:
    """Multiply the learning rate by min(|w|, 10) / |direction|, and by 1 where a norm is 0."""
    length = ops.minimum(_sqrt(_square(parameter).sum()), Tensor(10.0, ms.float32))
    step_length = _sqrt(_square(direction).sum())
    is_zero = ops.cast(_mul(length, step_length) == 0, ms.float32)
    trust = _add(_div(length, _add(step_length, is_zero)), is_zero * (1 - length))
    return _mul(numbers[0], trust)


class Rule(NamedTuple):
    """How an optimizer moves one parameter: w <- w - rate * direction.

    Attributes:
        slots: names of its arrays beside each parameter, all of the parameter's shape, 0 at first.
        direction: computes the direction from (numbers, gradient, *slots), and updates the slots.
        factors: makes the cell that computes what is the same for all parameters of a step; None
            where that is the learning rate only.
        rate: computes the rate from (numbers, parameter, direction).
        is_coupled: whether d w is added to the gradient, not to the direction.
    """

    slots: tuple[str, ...]
    direction: Callable[..., Tensor]
    factors: type[nn.Cell] | None = None
    rate: Callable[[Numbers, Parameter, Tensor], Tensor] = _learning_rate
    is_coupled: bool = True

    def mover(self) -> Callable[..., Tensor]:
        """Make the function that updates a parameter and its slots.

        Returns:
            A function of (numbers, decay, gradient, parameter, *slots).
        """
        direction_of, rate_of, is_coupled = self.direction, self.rate, self.is_coupled

        def move(
            numbers: Numbers,
            decay: float,
            gradient: Tensor,
            parameter: Parameter,
            *slots: Parameter,
        ) -> Tensor:
            if is_coupled:
                gradient = with_decay(gradient, parameter, decay)
            direction = direction_of(numbers, gradient, *slots)
            if not is_coupled:
                direction = with_decay(direction, parameter, decay)
            rate = rate_of(numbers, parameter, direction)
            return _assign_sub(parameter, _mul(rate, direction))

        return move


def _blend(slot: Parameter, value: Tensor, share: float) -> Tensor:
    """Assign slot <- (1 - share) slot + share value."""
    return _assign(slot, _add(slot, _mul(_sub(value, slot), share)))


def _moments(gradient: Tensor, mean: Parameter, square: Parameter) -> tuple[Tensor, Tensor]:
    """Update the moving means m of g and v of g^2."""
    return _blend(mean, gradient, _SHARE1), _blend(square, _square(gradient), _SHARE2)


def _adamw(numbers: Numbers, gradient: Tensor, mean: Parameter, square: Parameter) -> Tensor:
    """AdamW: m^ / (sqrt(v^) + eps)."""
    mean, square = _moments(gradient, mean, square)
    return _div(_mul(mean, numbers[1]), _add(_mul(_sqrt(square), numbers[2]), _EPSILON))


def _rmsprop(_numbers: Numbers, gradient: Tensor, square: Parameter) -> Tensor:
    """RMSprop: g / (sqrt(v) + eps), v a moving mean of g^2."""
    square = _blend(square, _square(gradient), 0.01)
    return _div(gradient, _add(_sqrt(square), _EPSILON))


def _adagrad(_numbers: Numbers, gradient: Tensor, total: Parameter) -> Tensor:
    """Adagrad: g / (sqrt(sum of g^2) + 1e-10)."""
    total = _assign(total, _add(total, _square(gradient)))
    return _div(gradient, _add(_sqrt(total), 1e-10))


def _adamax(_numbers: Numbers, gradient: Tensor, mean: Parameter, peak: Parameter) -> Tensor:
    """Adamax: m / u, u <- max(beta2 u, |g| + eps); the rate is corrected for the bias of m."""
    mean = _blend(mean, gradient, _SHARE1)
    peak = _assign(peak, _maximum(_mul(peak, 0.999), _add(_abs(gradient), _EPSILON)))
    return _div(mean, peak)


def _nadam(numbers: Numbers, gradient: Tensor, mean: Parameter, square: Parameter) -> Tensor:
    """NAdam: (a_t g + b_t m) / (sqrt(v^) + eps)."""
    mean, square = _moments(gradient, mean, square)
    root = _add(_mul(_sqrt(square), numbers[3]), _EPSILON)
    return _div(_add(_mul(gradient, numbers[1]), _mul(mean, numbers[2])), root)


def _radam(numbers: Numbers, gradient: Tensor, mean: Parameter, square: Parameter) -> Tensor:
    """RAdam: m, times r_t / (sqrt(v^) + eps) once rho_t > 5; its rate is as Adamax's."""
    mean, square = _moments(gradient, mean, square)
    return _mul(mean, _add(_div(numbers[3], _add(_sqrt(square), _EPSILON)), numbers[2]))


def _lamb(_numbers: Numbers, gradient: Tensor, mean: Parameter, square: Parameter) -> Tensor:
    """LAMB: m / (sqrt(v) + 1e-6)."""
    mean, square = _moments(gradient, mean, square)
    return _div(mean, _add(_sqrt(square), 1e-6))


_MOMENTS = ("exp_avg", "exp_avg_sq")
_LAMB = Rule(_MOMENTS, _lamb, rate=_trusted_rate, is_coupled=False)

# Loshchilov and Hutter, ICLR 2019; Tieleman and Hinton, 2012; Duchi et al., JMLR 2011; Kingma and
# Ba, ICLR 2015 (section 7.1); Dozat, ICLR workshop 2016; Liu et al., ICLR 2020; You et al., ICLR
# 2020 without bias corrections, as fast-reid has it, under its name and the paper's.
RULES = {
    "AdamW": Rule(_MOMENTS, _adamw, BiasCorrections, is_coupled=False),
    "RMSprop": Rule(("square_avg",), _rmsprop),
    "Adagrad": Rule(("sum",), _adagrad),
    "Adamax": Rule(("exp_avg", "exp_inf"), _adamax, BiasCorrections, _corrected_rate),
    "NAdam": Rule(_MOMENTS, _nadam, NesterovWeights),
    "RAdam": Rule(_MOMENTS, _radam, Rectification, _corrected_rate),
    "Lamb": _LAMB,
    "LAMB": _LAMB,
}
