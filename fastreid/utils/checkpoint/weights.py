"""Load arrays into a model's parameters strictly: all names and shapes must match."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mindspore import Tensor, nn, ops

from .formats.number_formats import in_native_order
from .names import to_mindspore_weights, to_torch_name
from .pixel_buffers import compare_pixel_buffers
from .recognition.advice import explain_misfit
from .release_names import is_auxiliary

logger = logging.getLogger(__name__)


class Adapted(NamedTuple):
    """How a cell loads weights that were trained with another setting.

    A cell can define `adapt_to_weights(weights)`, which gets the cell's arrays by name in the cell
    and returns an `Adapted`, or None if nothing has to change.

    Attributes:
        cell: cell that replaces the cell in the model; the cell itself if it stays.
        weights: arrays to load into it, by name in the cell.
        note: description of the change, for the log; "" if there is none.
    """

    cell: nn.Cell
    weights: dict[str, np.ndarray]
    note: str


def load_weights(
    model: nn.Cell,
    weights: Mapping[str, np.ndarray],
    *,
    source: str | Path = "weights",
    ignore: Sequence[str] = (),
) -> None:
    """Load weights strictly: if a tensor is missing, unknown or of another shape, nothing changes.

    Tensors without effect on features (batch counters, `pixel_mean` and `pixel_std`, MoCo's queue,
    connectors of distillation) are ignored, unless the model has them; a warning is logged if the
    images were normalized with other values. A cell can adapt to weights of another setting, see
    `Adapted`; a warning is logged then too.

    Args:
        model: the model that is changed.
        weights: arrays by name in the model, or by PyTorch name in any release of fast-reid.
        source: origin of the weights, for messages.
        ignore: prefixes of names that may be missing, unknown or of another shape; such parameters
            keep their values.

    Raises:
        ValueError: the weights do not fit. The message describes them, proposes settings, and lists
            the first few tensors that differ.
    """
    values = _by_own_names(model, weights, ignore)
    adapted = _adapt(model, values)
    want = {parameter.name: tuple(parameter.shape) for parameter in model.get_parameters()}
    for path, change in adapted.items():
        for name in [name for name in values if _parent(name) == path]:
            del values[name]
        values.update({_child(path, name): value for name, value in change.weights.items()})
        own = change.cell.parameters_dict(recurse=False).values()
        want.update({_child(path, _leaf(p.name)): tuple(p.shape) for p in own})
    ignored = _check(model, values, want, source=source, ignore=ignore)
    for note in compare_pixel_buffers(model, weights):
        logger.warning("%s: %s", source, note)
    for path, change in adapted.items():
        _replace(model, path, change.cell)
        if change.note:
            logger.warning("%s: %s: %s", source, path, change.note)
    if ignored:
        logger.info("Ignored tensors of %s: %s", source, ", ".join(ignored))
    for parameter in model.get_parameters():
        name = parameter.name
        if name not in ignored:
            value = in_native_order(values[name])
            ops.assign(parameter, Tensor(value.reshape(want[name]), dtype=parameter.dtype))


def _by_own_names(
    model: nn.Cell, weights: Mapping[str, np.ndarray], ignore: Sequence[str]
) -> dict[str, np.ndarray]:
    """Rename weights to the names of the model, without tensors that do not affect features.

    Such tensors of the model itself are kept, except those that `ignore` covers.
    """
    own = {parameter.name for parameter in model.get_parameters()}
    needed = {name for name in own if not name.startswith(tuple(ignore))}
    needed |= {to_torch_name(name) for name in needed}
    values = {
        name: value for name, value in weights.items() if name in needed or not is_auxiliary(name)
    }
    named_as_theirs = {to_torch_name(name): value for name, value in values.items()}
    if values.keys() <= own or len(named_as_theirs) != len(values):
        return values
    return to_mindspore_weights(model, named_as_theirs)


def _check(
    model: nn.Cell,
    values: Mapping[str, np.ndarray],
    want: Mapping[str, tuple[int, ...]],
    *,
    source: str | Path,
    ignore: Sequence[str],
) -> list[str]:
    """Return the names that `ignore` covers; raise ValueError for all others that do not fit."""
    have = {name: tuple(np.shape(value)) for name, value in values.items()}
    problems = {
        "missing": sorted(want.keys() - have.keys()),
        "unexpected": sorted(have.keys() - want.keys()),
        "of another shape": sorted(
            name for name in want if have.get(name, want[name]) != want[name]
        ),
    }
    faults = {
        kind: [to_torch_name(name) for name in names if not name.startswith(tuple(ignore))]
        for kind, names in problems.items()
    }
    if any(faults.values()):
        theirs, ours = (
            {to_torch_name(name): shape for name, shape in shapes.items()}
            for shapes in (have, want)
        )
        raise ValueError(
            f"{source} does not fit the model {type(model).__name__}. "
            f"{explain_misfit(theirs, ours, faults)}"
        )
    return sorted({name for names in problems.values() for name in names})


def _adapt(model: nn.Cell, values: Mapping[str, np.ndarray]) -> dict[str, Adapted]:
    """Collect the changes of cells that adapt to the weights; the model is not changed yet."""
    changes = {}
    for path, cell in model.cells_and_names():
        if not hasattr(cell, "adapt_to_weights"):
            continue
        own = {_leaf(name): value for name, value in values.items() if _parent(name) == path}
        change = cell.adapt_to_weights(own)
        if change is not None:
            changes[path] = change
    return changes


def _replace(model: nn.Cell, path: str, cell: nn.Cell) -> None:
    if cell is model:
        return
    *parents, last = path.split(".")
    parent = model
    for name in parents:
        parent = getattr(parent, name)
    if getattr(parent, last) is cell:
        return
    setattr(parent, last, cell)
    for parameter in cell.get_parameters():
        parameter.name = f"{path}.{_leaf(parameter.name)}"
    # A graph that is compiled already contains the old cell.
    model.compile_cache.clear()


def _child(path: str, leaf: str) -> str:
    return f"{path}.{leaf}" if path else leaf


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
