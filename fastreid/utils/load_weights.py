"""Put arrays into a model's parameters: exactly, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mindspore import Tensor, nn, ops

logger = logging.getLogger(__name__)


def load_weights(
    model: nn.Cell,
    weights: Mapping[str, np.ndarray],
    *,
    source: str | Path = "weights",
    ignore: Sequence[str] = (),
) -> None:
    """Load weights exactly, or not at all.

    Args:
        model: gets the weights.
        weights: name in the model -> array of the parameter's shape.
        source: where they come from, for the message.
        ignore: what begins like one of these may be missing, unknown or of another shape; such a
            parameter keeps its value.

    Raises:
        ValueError: naming every tensor that is missing, unknown or of another shape.
    """
    have = {name: tuple(np.shape(value)) for name, value in weights.items()}
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    want = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    problems = {
        "missing": sorted(want.keys() - have.keys()),
        "unexpected": sorted(have.keys() - want.keys()),
        "of another shape": sorted(
            name for name in want if have.get(name, want[name]) != want[name]
        ),
    }
    faults = {
        kind: [name for name in names if not name.startswith(tuple(ignore))]
        for kind, names in problems.items()
    }
    if any(faults.values()):
        raise ValueError(
            f"{source} does not fit the model {type(model).__name__}: "
            f"{_describe(faults, have, want)}. Use the configuration that the weights were "
            "trained with, or other weights."
        )
    left_alone = sorted({name for names in problems.values() for name in names})
    if left_alone:
        logger.info("Not loaded from %s, as asked: %s", source, ", ".join(left_alone))
    for name, parameter in parameters.items():
        if name not in left_alone:
            value = np.ascontiguousarray(weights[name])
            ops.assign(parameter, Tensor(value.reshape(want[name]), dtype=parameter.dtype))


def _describe(
    faults: Mapping[str, list[str]],
    have: Mapping[str, tuple[int, ...]],
    want: Mapping[str, tuple[int, ...]],
) -> str:
    parts = []
    for kind, names in faults.items():
        if names and kind == "of another shape":
            names = [f"{name} {have[name]}, the model has {want[name]}" for name in names]
        if names:
            parts.append(f"{len(names)} {kind}: {'; '.join(names)}")
    return " | ".join(parts)
