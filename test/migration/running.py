"""Run the two sides of a row on the same inputs, and compare what they give."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import mindspore as ms
import numpy as np
import torch
from mindspore import Tensor, nn, ops, value_and_grad

from fastreid.utils.checkpoint.names import to_torch_name
from test.alignment.against_torch import randomize

from .pair import Kind, Pair

# The least relative difference of a line that counts as another result.
VISIBLE = 1e-4


class Result(NamedTuple):
    """Values, gradients of the float inputs, and by name gradients and statistics of a layer."""

    values: list
    gradients: list
    weights: dict
    statistics: dict


def flat(value) -> list:
    """Tensors of either framework, numbers and texts in a nested value, as arrays."""
    if isinstance(value, dict):
        return [part for key in sorted(value) for part in [np.array(key), *flat(value[key])]]
    if isinstance(value, (tuple, list)):
        return [part for element in value for part in flat(element)]
    if isinstance(value, Tensor):
        return [value.asnumpy().copy()]
    if isinstance(value, torch.Tensor):
        return [value.detach().numpy().copy()]
    return [np.asarray(value)]


def projection(shape) -> np.ndarray:
    """A fixed direction in the space of outputs, a scalar's too."""
    return np.asarray(np.random.RandomState(7).standard_normal(shape), np.float32)


def is_float(array: np.ndarray) -> bool:
    return array.dtype.kind == "f"


def run_pytorch(pair: Pair) -> Result:
    """Run the PyTorch side."""
    torch.manual_seed(0)
    if pair.kind is Kind.PROGRAM:
        return Result(flat(pair.pytorch(*(torch.tensor(x) for x in pair.inputs))), [], {}, {})
    inputs = [torch.tensor(x, requires_grad=is_float(x) and pair.gradient) for x in pair.inputs]
    function = pair.pytorch
    if pair.kind is Kind.LAYER:
        function = torch_layer(pair)
    # Copies, since an operation in place on an input that is a leaf is an error.
    output = function(*(x.clone() for x in inputs))
    values = flat(output)
    if not pair.gradient:
        return Result(values, [], {}, torch_statistics(function))
    outputs = output if isinstance(output, tuple) else (output,)
    terms = [(o * torch.tensor(projection(o.shape))).sum() for o in outputs if o.requires_grad]
    sum(terms).backward()
    gradients = [x.grad.numpy() for x in inputs if x.requires_grad]
    weights = {}
    if pair.kind is Kind.LAYER:
        weights = {name: p.grad.numpy() for name, p in function.named_parameters()}
    return Result(values, gradients, weights, torch_statistics(function))


def torch_layer(pair: Pair) -> torch.nn.Module:
    """The layer, with weights that are always the same."""
    layer = pair.pytorch()
    with torch.no_grad():
        randomize(layer)
    return layer.train(pair.training)


def torch_statistics(function) -> dict:
    buffers = function.named_buffers() if isinstance(function, torch.nn.Module) else ()
    return {k: v.numpy().copy() for k, v in buffers if not k.endswith("num_batches_tracked")}


class Weighted(nn.Cell):
    """A function of tensors, and the sum of its float outputs times fixed numbers."""

    def __init__(self, function, directions) -> None:
        super().__init__(auto_prefix=False)
        self.function = function
        self.directions = directions

    def construct(self, *inputs):
        output = self.function(*inputs)
        outputs = output if isinstance(output, tuple) else (output,)
        total = 0.0
        for each, direction in zip(outputs, self.directions):
            if direction is not None:
                total = total + (each * direction).sum()
        return total, output


class Plain(nn.Cell):
    """A function of tensors as a cell, so that graph mode compiles it."""

    def __init__(self, function) -> None:
        super().__init__(auto_prefix=False)
        self.function = function

    def construct(self, *inputs):
        return self.function(*inputs)


def run_mindspore(pair: Pair, want: Result, function=None) -> Result:
    """Run the MindSpore side, or another function in its place; `want` is PyTorch's result."""
    ms.set_seed(0)
    function = function or pair.mindspore
    inputs = [Tensor(x.copy()) for x in pair.inputs]
    if pair.kind is Kind.PROGRAM:
        return Result(flat(function(*inputs)), [], {}, {})
    parameters = []
    if pair.kind is Kind.LAYER:
        function = mindspore_layer(pair, function)
        parameters = [p for p in function.get_parameters() if p.requires_grad]
    if not pair.gradient:
        cell = Plain(function).set_train(pair.training)
        return Result(flat(cell(*inputs)), [], {}, mindspore_statistics(function))
    positions = tuple(i for i, x in enumerate(pair.inputs) if is_float(x))
    directions = tuple(Tensor(projection(v.shape)) if is_float(v) else None for v in want.values)
    cell = Weighted(function, directions).set_train(pair.training)
    gradient_of = value_and_grad(cell, positions, parameters or None, has_aux=True)
    (_, output), gradients = gradient_of(*inputs)
    gradients, of_weights = gradients if parameters else (gradients, ())
    names = [torch_name(p) for p in parameters]
    weights = dict(zip(names, flat(of_weights)))
    return Result(flat(output), flat(gradients), weights, mindspore_statistics(function))


def mindspore_layer(pair: Pair, build) -> nn.Cell:
    """The layer, with the weights of PyTorch's."""
    # A part of another cell, since a batch norm alone has other names.
    layer, state = nn.SequentialCell(build()), torch_layer(pair).state_dict()
    for parameter in layer.get_parameters():
        ops.assign(parameter, Tensor(state[torch_name(parameter)].numpy()))
    return layer


def torch_name(parameter) -> str:
    """PyTorch's name of a parameter of `mindspore_layer`."""
    return to_torch_name(parameter.name).removeprefix("0.")


def mindspore_statistics(function) -> dict:
    if not isinstance(function, nn.Cell):
        return {}
    statistics = (p for p in function.get_parameters() if not p.requires_grad)
    return {torch_name(p): p.asnumpy().copy() for p in statistics}


def differences(got: Result, want: Result, pair: Pair, tolerance: float) -> list[str]:
    """Describe all differences beyond the tolerance."""
    found = []
    for name, ours, theirs in zip(Result._fields, got, want):
        if name in ("gradients", "weights") and not pair.gradient:
            continue
        ours = ours if isinstance(ours, dict) else dict(enumerate(ours))
        theirs = theirs if isinstance(theirs, dict) else dict(enumerate(theirs))
        if ours.keys() != theirs.keys():
            found.append(f"{name}: {sorted(ours)} instead of {sorted(theirs)}")
            continue
        for key, value in theirs.items():
            digits, types = pair.digits and name == "values", pair.same_types
            message = difference(ours[key], value, tolerance, digits=digits, same_types=types)
            found += [f"{name} {key}: {message}"] if message else []
    return found


def difference(
    got: np.ndarray, want: np.ndarray, tolerance: float, *, digits: bool, same_types: bool
) -> str:
    """Describe the difference of two arrays; "" if there is none."""
    if got.dtype.kind in "US" or want.dtype.kind in "USO":
        return "" if got.tolist() == want.tolist() else f"{got} instead of {want}"
    if got.shape != want.shape or (same_types and got.dtype != want.dtype):
        return f"{got.shape} {got.dtype} instead of {want.shape} {want.dtype}"
    got, want = got.astype(np.float64), want.astype(np.float64)
    scale = np.abs(want) if digits else max(np.abs(want).max(initial=0), 1e-6)
    # A comparison with NaN is false, so NaN is a difference.
    if np.all(np.abs(got - want) <= tolerance * scale):
        return ""
    return f"largest difference {np.abs(got - want).max()} of {np.abs(want).max()}"


@contextlib.contextmanager
def in_mode(mode: str):
    """Set graph or pynative mode; graph mode is the tests' own."""
    ms.set_context(mode=ms.GRAPH_MODE if mode == "graph" else ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
