"""Names of torchvision's MobileNetV2, whose weights are those of this network at width 1.0."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

# torchvision nests a convolution, its norm and its activation: features.2.conv.1.0.weight is the
# convolution of the second such triple of block 2. The projection of a block is not nested.
_NESTED = re.compile(
    r"features\.(?P<block>\d+)\.conv\.(?P<triple>\d+)\.(?P<part>\d+)\.(?P<leaf>\w+)"
)
_PROJECTION = re.compile(r"features\.(?P<block>\d+)\.conv\.(?P<part>\d+)\.(?P<leaf>\w+)")
_LAST = "features.18."


def from_torchvision(
    weights: Mapping[str, np.ndarray], _shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Rename the tensors of torchvision's MobileNetV2; other names are kept.

    Args:
        weights: PyTorch name -> array, of torchvision or with the names of this network.
        _shapes: the shapes of this network's tensors, which are not needed.

    Returns:
        The same arrays by the names of this network.
    """
    triples: dict[str, int] = {}
    for match in filter(None, map(_NESTED.fullmatch, weights)):
        count = int(match["triple"]) + 1
        triples[match["block"]] = max(count, triples.get(match["block"], 0))
    if not triples:
        return dict(weights)
    return {_renamed(name, triples): value for name, value in weights.items()}


def _renamed(name: str, triples: Mapping[str, int]) -> str:
    """Number the cells of a block in one sequence: 3 of each triple, then the projection's 2."""
    if name.startswith(_LAST):
        return f"conv.{name[len(_LAST) :]}"
    match = _NESTED.fullmatch(name)
    if match:
        index = 3 * int(match["triple"]) + int(match["part"])
    else:
        match = _PROJECTION.fullmatch(name)
        if match is None or match["block"] not in triples:
            return name
        before = triples[match["block"]]
        index = 3 * before + int(match["part"]) - before
    return f"features.{match['block']}.conv.{index}.{match['leaf']}"
