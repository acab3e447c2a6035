"""Parameter names at the border: PyTorch's outside, MindSpore's inside, one to one."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from mindspore import nn

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


def to_mindspore_weights(
    model: nn.Cell, weights: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Rename a PyTorch state dict to the names of `model`.

    Names that the model does not know are kept, so that strict loading reports them; PyTorch's
    batch counters and the prefix of its data-parallel wrapper are dropped.

    Args:
        model: the model that the weights are for.
        weights: PyTorch name -> array.

    Returns:
        MindSpore name -> array.
    """
    names = torch_names(model)
    plain = {
        name[len("module.") :] if name.startswith("module.") else name: value
        for name, value in weights.items()
    }
    return {
        names.get(name, name): value
        for name, value in plain.items()
        if not name.endswith("num_batches_tracked")
    }
