"""Parameter names: MindSpore's in a model, PyTorch's in files of weights, one to one."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import numpy as np
from mindspore import nn

from .name_rules import to_mindspore_parts, to_torch_parts
from .release_names import BATCH_COUNTER, to_current_names

logger = logging.getLogger(__name__)

_LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_TORCH_LEAVES = {theirs: ours for ours, theirs in _LEAVES.items()}
# The prefix of PyTorch's data-parallel wrapper.
_WRAPPER = "module."


def to_torch_name(name: str) -> str:
    """Translate a MindSpore parameter name, such as ``backbone.stages.0.blocks.1.bn1.gamma``.

    Args:
        name: dotted name as `Parameter.name` gives it.

    Returns:
        The PyTorch name of the same tensor, ``backbone.layer1.1.bn1.weight``.
    """
    stem, _, leaf = to_torch_parts(name).rpartition(".")
    return f"{stem}.{_LEAVES.get(leaf, leaf)}" if stem else _LEAVES.get(leaf, leaf)


def torch_names(model: nn.Cell) -> dict[str, str]:
    """Map the PyTorch name of every tensor of `model` to its name in the model, in order."""
    return {to_torch_name(parameter.name): parameter.name for parameter in model.get_parameters()}


def export_weights(model: nn.Cell) -> dict[str, np.ndarray]:
    """Copy all tensors of `model`, running statistics included, by their PyTorch names."""
    return {
        to_torch_name(parameter.name): parameter.asnumpy().copy()
        for parameter in model.get_parameters()
    }


def hash_of_weights(model: nn.Cell) -> str:
    """Return the SHA-256 of the names and values of all tensors, in hexadecimal.

    Args:
        model: any model; the names are PyTorch's.
    """
    digest = hashlib.sha256()
    for name, value in sorted(export_weights(model).items()):
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def plain_names(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Remove the prefix of PyTorch's data-parallel wrapper from names.

    Raises:
        ValueError: if a name occurs with and without the prefix.
    """
    plain = {
        name[len(_WRAPPER) :] if name.startswith(_WRAPPER) else name: value
        for name, value in weights.items()
    }
    if len(plain) != len(weights):
        twice = sorted(name for name in weights if f"{_WRAPPER}{name}" in weights)
        raise ValueError(f"Tensors with and without the prefix {_WRAPPER!r}: {twice[:5]}.")
    return plain


def to_mindspore_weights(
    model: nn.Cell, weights: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Rename a PyTorch state dict, of any release of fast-reid, to the names of `model`.

    Names of no tensor of the model are kept: strict loading reports them. PyTorch's batch counters
    and the prefix of its data-parallel wrapper are dropped. The log lists the names of an older
    release.

    Args:
        model: the model that the weights are for.
        weights: PyTorch name -> array.

    Returns:
        MindSpore name -> array.
    """
    names = torch_names(model)
    current, notes = to_current_names(plain_names(weights))
    for note in notes:
        logger.info("%s", note)
    return {
        names.get(name, name): value
        for name, value in current.items()
        if not name.endswith(BATCH_COUNTER)
    }


def to_mindspore_names(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Find the MindSpore names of a state dict of this toolbox's models, without a model.

    A norm is what has running statistics or a scale of one dimension. The rules for other names are
    those that backbones and heads have registered (`register_names`).

    Args:
        shapes: PyTorch name -> shape, of a whole state dict.

    Returns:
        PyTorch name -> MindSpore name, one to one.
    """
    norms = {
        name.rpartition(".")[0]
        for name, shape in shapes.items()
        if name.endswith(".running_mean") or (name.endswith(".weight") and len(shape) == 1)
    }
    names = {}
    for name, ours in to_mindspore_parts(shapes).items():
        stem, _, leaf = ours.rpartition(".")
        if name.rpartition(".")[0] in norms:
            leaf = _TORCH_LEAVES.get(leaf, leaf)
        names[name] = f"{stem}.{leaf}" if stem else leaf
    return names
