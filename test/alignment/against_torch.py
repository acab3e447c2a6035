"""Run a cell of ours and a torch module with the same weights on the same input."""

import unittest

import mindspore as ms
import numpy as np
import torch
from mindspore import Tensor, ops, value_and_grad

from fastreid.utils.checkpoint.names import to_torch_name

MODES = {"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}
# Height and width of feature maps: even and odd ones.
SIZES = ((6, 4), (7, 5))


class AlignmentCase(unittest.TestCase):
    """A test in both execution modes."""

    def modes(self):
        """Set one mode after the other."""
        self.addCleanup(ms.set_context, mode=ms.GRAPH_MODE)
        for name, mode in MODES.items():
            ms.set_context(mode=mode)
            yield name


def feature_map(size, *, channels=8, rows=2):
    """A feature map (rows, channels, H, W) with negative values."""
    return np.random.RandomState(1).randn(rows, channels, *size).astype(np.float32)


def randomize(module, seed=0):
    """Give every tensor of a torch module random values, so that a wrong mapping changes the
    result."""
    rng = np.random.RandomState(seed)
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        values = rng.randn(*tensor.shape)
        if name.endswith("running_var"):
            values = 1 + values**2
        tensor.copy_(torch.tensor(0.5 * values))
    return module


def copy_weights(cell, module):
    """Set our parameters from the torch module: the names must be the same, one to one."""
    state = {k: v for k, v in module.state_dict().items() if not k.endswith("batches_tracked")}
    parameters = {to_torch_name(name): value for name, value in cell.parameters_and_names()}
    assert parameters.keys() == state.keys()
    for name, parameter in parameters.items():
        ops.assign(parameter, Tensor(state[name].numpy().astype(np.float32)))


def ours(cell, *inputs):
    """Output and gradients of a fixed random projection of it.

    Returns the output, the gradient of the first input, and those of the parameters by torch name.
    """
    parameters = [p for p in cell.get_parameters() if p.requires_grad]
    names = [to_torch_name(p.name) for p in parameters]
    tensors = [Tensor(value) for value in inputs]

    def loss_of(*args):
        output = cell(*args)
        return (output * projection_of(output)).sum(), output

    gradient_of = value_and_grad(loss_of, 0, parameters or None, has_aux=True)
    (_, output), gradients = gradient_of(*tensors)
    input_gradient, weights = gradients if parameters else (gradients, ())
    by_name = {name: value.asnumpy() for name, value in zip(names, weights)}
    return output.asnumpy(), input_gradient.asnumpy(), by_name


def theirs(module, *inputs):
    """The same of a torch module, in float64."""
    module = module.double()
    first = torch.tensor(inputs[0], dtype=torch.float64, requires_grad=True)
    module.zero_grad()
    output = module(first, *map(torch.tensor, inputs[1:]))
    (output * torch.tensor(projection(output.shape))).sum().backward()
    by_name = {k: p.grad.numpy() for k, p in module.named_parameters() if p.requires_grad}
    return output.detach().numpy(), first.grad.numpy(), by_name


def projection(shape):
    """A fixed direction in the space of outputs."""
    return np.random.RandomState(7).randn(*shape).astype(np.float32)


def projection_of(output):
    return Tensor(projection(output.shape))


def assert_close(got, want, tolerance=2e-6):
    """Largest difference within float32 rounding of the largest value."""
    assert got.shape == want.shape
    scale = max(np.abs(want).max(), 0.1)
    assert np.abs(got - want).max() <= tolerance * scale


def assert_same(cell, module, *inputs, tolerance=5e-6, before_norm=()):
    """Output, input gradient and every parameter's gradient agree.

    A batch norm undoes the scale and the shift of its input, so the gradients of the layer
    `before_norm` cancel to nearly nothing: their rounding is measured by the largest gradient.
    """
    got, want = ours(cell, *inputs), theirs(module, *inputs)
    assert_close(got[0], want[0], tolerance)
    assert_close(got[1], want[1], tolerance)
    assert got[2].keys() == want[2].keys()
    largest = max((np.abs(gradient).max() for gradient in want[2].values()), default=0)
    for name, gradient in want[2].items():
        if name in before_norm:
            assert np.abs(got[2][name] - gradient).max() <= 1e-4 * largest, name
        else:
            assert_close(got[2][name], gradient, tolerance)
