"""Put arrays into a model's parameters: exactly, or not at all."""

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
from .release_names import is_beside_weights

logger = logging.getLogger(__name__)


class Adapted(NamedTuple):
    """How a cell takes the weights of a file that another setting made.

    A cell with a method `adapt_to_weights(weights)`, which gets the arrays under its own names,
    gives this; `None` where nothing is to change.

    Attributes:
        cell: to put in its place; the cell itself where it stays.
        weights: what it gets, name in it -> array.
        note: what was decided, for the log; "" where there is nothing to say.
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
    """Load weights exactly, or not at all.

    What takes no part in computing features (batch counters, `pixel_mean` and `pixel_std`, MoCo's
    memory) is passed over; a warning says where images were standardised otherwise. A cell may take
    the weights of another setting, see `Adapted`; a warning says so.

    Args:
        model: gets the weights.
        weights: name in the model, or in PyTorch's state dict of any release of fast-reid -> array
            of the parameter's shape.
        source: where they come from, for the message.
        ignore: what begins like one of these may be missing, unknown or of another shape; such a
            parameter keeps its value.

    Raises:
        ValueError: saying what the weights look like and which keys to set, and naming some of the
            tensors that are missing, unknown or of another shape.
    """
    values = _by_own_names(model, weights)
    adapted = _adapt(model, values)
    want = {parameter.name: tuple(parameter.shape) for parameter in model.get_parameters()}
    for path, change in adapted.items():
        for name in [name for name in values if _parent(name) == path]:
            del values[name]
        values.update({f"{path}.{name}": value for name, value in change.weights.items()})
        own = change.cell.parameters_dict(recurse=False).values()
        want.update({f"{path}.{_leaf(p.name)}": tuple(p.shape) for p in own})
    left_alone = _check(model, values, want, source=source, ignore=ignore)
    for note in compare_pixel_buffers(model, weights):
        logger.warning("%s: %s", source, note)
    for path, change in adapted.items():
        _replace(model, path, change.cell)
        if change.note:
            logger.warning("%s: %s: %s", source, path, change.note)
    if left_alone:
        logger.info("Not loaded from %s, as asked: %s", source, ", ".join(left_alone))
    for parameter in model.get_parameters():
        name = parameter.name
        if name not in left_alone:
            value = in_native_order(values[name])
            ops.assign(parameter, Tensor(value.reshape(want[name]), dtype=parameter.dtype))


def _by_own_names(model: nn.Cell, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name weights as the model does, without what stands beside them."""
    values = {name: value for name, value in weights.items() if not is_beside_weights(name)}
    own = {parameter.name for parameter in model.get_parameters()}
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
    """List what stays as it is, or raise ValueError where more than that does not fit."""
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
    """Ask the cells that can adapt themselves; nothing is changed yet."""
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
    *parents, last = path.split(".")
    parent = model
    for name in parents:
        parent = getattr(parent, name)
    if getattr(parent, last) is cell:
        return
    setattr(parent, last, cell)
    for parameter in cell.get_parameters():
        parameter.name = f"{path}.{_leaf(parameter.name)}"
    # A graph compiled before has the old cell in it.
    model.compile_cache.clear()


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
