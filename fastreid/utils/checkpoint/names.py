"""Parameter names at the border: PyTorch's outside, MindSpore's inside, one to one."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import numpy as np
from mindspore import nn

from .release_names import BATCH_COUNTER, to_current_names

logger = logging.getLogger(__name__)

_LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# What follows stages.<i>. in our names -> what upstream calls it, {n} being i + 1.
_STAGE_PARTS = {
    "blocks": "layer{n}",
    "residual.blocks": "layer{n}",
    "non_local": "NL_{n}",
    "residual.non_local": "NL_{n}",
    "adaptor_base": "adaptor{n}_base",
    "adaptor_sub": "adaptor{n}_sub",
    "router": "router{n}",
    "invariant_norm": "invariant_norm{n}",
    "specific_norm": "specific_norm{n}",
    "meta_fuse": "meta_fuse{n}",
    "meta_se": "meta_se{n}",
    "map": "map{n}",
}
_STAGE = re.compile(r"\bstages\.(?P<index>\d+)\.(?P<part>{})\b".format("|".join(_STAGE_PARTS)))
_CLASSIFIER = re.compile(r"\bclassifiers\.(?P<index>\d+)\b")
# The other way.
_TORCH_LEAVES = {theirs: ours for ours, theirs in _LEAVES.items()}
_RESIDUAL_PARTS = ("blocks", "non_local")
_TORCH_PARTS = {
    tuple(theirs.split("{n}")): ours
    for ours, theirs in _STAGE_PARTS.items()
    if not ours.startswith("residual.")
}
_TORCH_STAGE = re.compile(
    r"\b(?P<start>{})(?P<index>\d)(?P<end>_base|_sub)?(?=\.)".format(
        "|".join(sorted({start for start, _ in _TORCH_PARTS}))
    )
)
_ADAPTOR = re.compile(r"\badaptor(?P<index>\d)_base\.")
_NUMBERED_CLASSIFIER = re.compile(r"\bweight(?P<index>\d+)\.weight$")
_WRAPPER = "module."


def to_torch_name(name: str) -> str:
    """Translate a MindSpore parameter name, such as ``backbone.stages.0.blocks.1.bn1.gamma``.

    Args:
        name: dotted name as `Parameter.name` gives it.

    Returns:
        Upstream's name of the same tensor, ``backbone.layer1.1.bn1.weight``.
    """
    name = _STAGE.sub(
        lambda match: _STAGE_PARTS[match["part"]].format(n=int(match["index"]) + 1), name
    )
    name = _CLASSIFIER.sub(lambda match: f"weight{int(match['index']) + 1}", name)
    stem, _, leaf = name.rpartition(".")
    return f"{stem}.{_LEAVES.get(leaf, leaf)}" if stem else _LEAVES.get(leaf, leaf)


def torch_names(model: nn.Cell) -> dict[str, str]:
    """Map upstream's name of every tensor of `model` to ours, in the model's order."""
    return {to_torch_name(parameter.name): parameter.name for parameter in model.get_parameters()}


def export_weights(model: nn.Cell) -> dict[str, np.ndarray]:
    """Copy all tensors of `model`, running statistics included, under upstream's names."""
    return {
        to_torch_name(parameter.name): parameter.asnumpy().copy()
        for parameter in model.get_parameters()
    }


def plain_names(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Drop the prefix that PyTorch's data-parallel wrapper puts before names.

    Raises:
        ValueError: if a name is there with and without it.
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

    Names that the model does not know are kept, so that strict loading reports them; PyTorch's
    batch counters and the prefix of its data-parallel wrapper are dropped. The log says which names
    were those of an older release.

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

    A norm is what has running statistics or a scale of one dimension; a stage with adaptors is one
    of the router backbone.

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
    routed = {match["index"] for match in map(_ADAPTOR.search, shapes) if match}

    def part_of(match: re.Match) -> str:
        part = _TORCH_PARTS[match["start"], match["end"] or ""]
        inside = "residual." if part in _RESIDUAL_PARTS and match["index"] in routed else ""
        return f"stages.{int(match['index']) - 1}.{inside}{part}"

    names = {}
    for name in shapes:
        stem, _, leaf = name.rpartition(".")
        if stem in norms:
            leaf = _TORCH_LEAVES.get(leaf, leaf)
        ours = f"{stem}.{leaf}" if stem else leaf
        ours = _TORCH_STAGE.sub(part_of, ours)
        names[name] = _NUMBERED_CLASSIFIER.sub(
            lambda match: f"classifiers.{int(match['index']) - 1}.weight", ours
        )
    return names
