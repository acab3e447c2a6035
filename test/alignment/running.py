"""Run a function of tensors as a cell, so that graph mode compiles it as training does."""

import numpy as np
from mindspore import Tensor, nn, value_and_grad


class Call(nn.Cell):
    """A function with its constants, as a cell of tensors only."""

    def __init__(self, function, constants=()):
        super().__init__()
        self.function = function
        self.constants = tuple(constants)

    def construct(self, *tensors):
        return self.function(*tensors, *self.constants)


def run(function, *arrays, constants=()):
    """Value, as an array or a tuple of them."""
    value = Call(function, constants)(*map(Tensor, arrays))
    if isinstance(value, tuple):
        return tuple(part.asnumpy() for part in value)
    return value.asnumpy()


def value_and_gradient(function, *arrays, constants=()):
    """Value of a scalar function, as a float, and its gradient by the first array."""
    value, gradient = value_and_grad(Call(function, constants))(*map(Tensor, arrays))
    return float(value.asnumpy()), gradient.asnumpy()


def value_and_gradients(function, *arrays, count):
    """The same with the gradients by the first arrays, two or more, in one graph."""
    value, gradients = value_and_grad(Call(function), tuple(range(count)))(*map(Tensor, arrays))
    return float(value.asnumpy()), [gradient.asnumpy() for gradient in gradients]


def assert_gradient(got, want):
    """Equal within float32 rounding of the largest entry."""
    want = np.asarray(want)
    assert got.shape == want.shape
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, want, rtol=0, atol=3e-5 * max(np.abs(want).max(), 1e-6))
