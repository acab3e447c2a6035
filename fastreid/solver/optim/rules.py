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

# Primitives compile faster than operators and functions, which dispatch on their arguments.
_add, _sub, _mul, _div, _sqrt = ops.Add(), ops.Sub(), ops.Mul(), ops.Div(), ops.Sqrt()
_abs, _square, _maximum = ops.Abs(), ops.Square(), ops.Maximum()
_assign, _assign_sub = ops.Assign(), ops.AssignSub()

# 1 - beta1 and 1 - beta2; a compiled graph would subtract in float32.
_SHARE1, _SHARE2 = 0.1, 0.001
_EPSILON = 1e-8


Numbers = tuple[Tensor, ...]


class Rule(NamedTuple):
    """How an optimizer moves one parameter.

    Attributes:
        slots: names of its arrays beside each parameter, all of the parameter's shape, 0 at first.
        factors: makes the cell that computes what is the same for all parameters of a step; None
            where that is the learning rate only.
        move: updates a parameter from (numbers, decay, gradient, parameter, *slots); the numbers
            are the learning rate and the factors.
    """

    slots: tuple[str, ...]
    factors: type[nn.Cell] | None
    move: Callable[..., Tensor]


def _decayed(gradient: Tensor, parameter: Parameter, decay: float) -> Tensor:
    return gradient if decay == 0 else _add(gradient, _mul(parameter, decay))


def _blend(slot: Parameter, value: Tensor, share: float) -> Tensor:
    """Assign slot <- (1 - share) slot + share value."""
    return _assign(slot, _add(slot, _mul(_sub(value, slot), share)))


def _adamw(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    mean: Parameter,
    square: Parameter,
) -> Tensor:
    """AdamW: w <- (1 - rate d) w - rate m^ / (sqrt(v^) + eps)."""
    mean = _blend(mean, gradient, _SHARE1)
    square = _blend(square, _square(gradient), _SHARE2)
    root = _add(_mul(_sqrt(square), numbers[2]), _EPSILON)
    step = _div(_mul(mean, numbers[1]), root)
    if decay != 0:
        step = _add(step, _mul(parameter, decay))
    return _assign_sub(parameter, _mul(numbers[0], step))


def _rmsprop(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    square: Parameter,
) -> Tensor:
    """RMSprop: w <- w - rate g / (sqrt(v) + eps), v a moving mean of g^2; coupled decay."""
    gradient = _decayed(gradient, parameter, decay)
    square = _blend(square, _square(gradient), 0.01)
    return _assign_sub(parameter, _mul(numbers[0], _div(gradient, _add(_sqrt(square), _EPSILON))))


def _adagrad(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    total: Parameter,
) -> Tensor:
    """Adagrad: w <- w - rate g / (sqrt(sum of g^2) + 1e-10); coupled decay."""
    gradient = _decayed(gradient, parameter, decay)
    total = _assign(total, _add(total, _square(gradient)))
    return _assign_sub(parameter, _mul(numbers[0], _div(gradient, _add(_sqrt(total), 1e-10))))


def _adamax(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    mean: Parameter,
    peak: Parameter,
) -> Tensor:
    """Adamax: w <- w - rate m^ / u, u <- max(beta2 u, |g| + eps); coupled decay."""
    gradient = _decayed(gradient, parameter, decay)
    mean = _blend(mean, gradient, _SHARE1)
    peak = _assign(peak, _maximum(_mul(peak, 0.999), _add(_abs(gradient), _EPSILON)))
    return _assign_sub(parameter, _mul(_mul(numbers[0], numbers[1]), _div(mean, peak)))


def _nadam(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    mean: Parameter,
    square: Parameter,
) -> Tensor:
    """NAdam: w <- w - rate (a_t g + b_t m) / (sqrt(v^) + eps); coupled decay."""
    gradient = _decayed(gradient, parameter, decay)
    mean = _blend(mean, gradient, _SHARE1)
    square = _blend(square, _square(gradient), _SHARE2)
    root = _add(_mul(_sqrt(square), numbers[3]), _EPSILON)
    step = _add(_mul(gradient, numbers[1]), _mul(mean, numbers[2]))
    return _assign_sub(parameter, _mul(numbers[0], _div(step, root)))


def _radam(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    mean: Parameter,
    square: Parameter,
) -> Tensor:
    """RAdam: w <- w - rate m^, times r_t / (sqrt(v^) + eps) once rho_t > 5; coupled decay."""
    gradient = _decayed(gradient, parameter, decay)
    mean = _blend(mean, gradient, _SHARE1)
    square = _blend(square, _square(gradient), _SHARE2)
    scale = _add(_div(numbers[3], _add(_sqrt(square), _EPSILON)), numbers[2])
    return _assign_sub(parameter, _mul(_mul(numbers[0], numbers[1]), _mul(mean, scale)))


def _lamb(
    numbers: Numbers,
    decay: float,
    gradient: Tensor,
    parameter: Parameter,
    mean: Parameter,
    square: Parameter,
) -> Tensor:
    """LAMB: w <- w - rate r s, s = m / (sqrt(v) + 1e-6) + d w.

    r = min(|w|, 10) / |s|, and 1 where a norm is 0.
    """
    mean = _blend(mean, gradient, _SHARE1)
    square = _blend(square, _square(gradient), _SHARE2)
    step = _div(mean, _add(_sqrt(square), 1e-6))
    if decay != 0:
        step = _add(step, _mul(parameter, decay))
    length = ops.minimum(_sqrt(_square(parameter).sum()), Tensor(10.0, ms.float32))
    step_length = _sqrt(_square(step).sum())
    is_zero = ops.cast(_mul(length, step_length) == 0, ms.float32)
    trust = _add(_div(length, _add(step_length, is_zero)), is_zero * (1 - length))
    return _assign_sub(parameter, _mul(_mul(numbers[0], trust), step))


_MOMENTS = ("exp_avg", "exp_avg_sq")
_LAMB = Rule(_MOMENTS, None, _lamb)

# Loshchilov and Hutter, ICLR 2019; Tieleman and Hinton, 2012; Duchi et al., JMLR 2011; Kingma and
# Ba, ICLR 2015 (section 7.1); Dozat, ICLR workshop 2016; Liu et al., ICLR 2020; You et al., ICLR
# 2020 without bias corrections, as fast-reid has it, under its name and the paper's.
RULES = {
    "AdamW": Rule(_MOMENTS, BiasCorrections, _adamw),
    "RMSprop": Rule(("square_avg",), None, _rmsprop),
    "Adagrad": Rule(("sum",), None, _adagrad),
    "Adamax": Rule(("exp_avg", "exp_inf"), BiasCorrections, _adamax),
    "NAdam": Rule(_MOMENTS, NesterovWeights, _nadam),
    "RAdam": Rule(_MOMENTS, Rectification, _radam),
    "Lamb": _LAMB,
    "LAMB": _LAMB,
}
