"""Tensor names of fast-reid's MGN, and those of the Baseline that it was made from.

An MGN numbers the parts of its ResNet, because they are modules of sequences:

=====================  ==========================================
MGN                    Baseline
=====================  ==========================================
``backbone.0``, ``1``  ``backbone.conv1``, ``backbone.bn1``
``backbone.4``, ``5``  ``backbone.layer1``, ``backbone.layer2``
``backbone.6``         ``backbone.layer3.0``
``b1.0.0``, ``1``, …   ``backbone.layer3.1``, ``2``, …
``b1.1``               ``backbone.layer4``
``b1_head``            ``heads``
=====================  ==========================================

Its other two branches and seven heads have the same shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TRUNK = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3.0"}
_TRUNK_PART = re.compile(r"backbone\.(?P<place>[01456])\.")
_BRANCH_BLOCK = re.compile(r"b[123]\.0\.(?P<block>\d+)\.")
_BRANCH_STAGE = re.compile(r"b[123]\.1\.")
_HEAD = re.compile(r"b\d+_head\.")


def is_mgn(names: Iterable[str]) -> bool:
    """Return whether tensors, by their PyTorch names, belong to an MGN."""
    return any(_HEAD.match(name) for name in names)


def baseline_name(name: str) -> str:
    """Translate the name of a tensor of an MGN.

    Args:
        name: PyTorch name in the MGN, such as ``b2.0.3.conv1.weight``.

    Returns:
        The PyTorch name of its counterpart in a Baseline, ``backbone.layer3.4.conv1.weight``; names
        of no MGN stay.
    """
    for pattern, start in (
        (_TRUNK_PART, lambda match: f"backbone.{_TRUNK[match['place']]}."),
        (_BRANCH_BLOCK, lambda match: f"backbone.layer3.{int(match['block']) + 1}."),
        (_BRANCH_STAGE, lambda _: "backbone.layer4."),
        (_HEAD, lambda _: "heads."),
    ):
        match = pattern.match(name)
        if match:
            return start(match) + name[match.end() :]
    return name
