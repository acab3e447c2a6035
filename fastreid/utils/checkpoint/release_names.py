"""Names of tensors in the releases of fast-reid, and today's: one table, both ways.

What each release wrote (issues of JDAI-CV/fast-reid that show it):

=========================  =======================================  ==================
release                    neck and classifier of a head            issues
=========================  =======================================  ==================
0.1, 0.1.1 (model zoo)     ``bnneck.*``, ``classifier.weight``      #427, #453, #486
the zoo, neck renamed      ``bottleneck.0.*``, and a leftover       #617, #693
                           ``bnneck.num_batches_tracked``,
                           ``classifier.weight``
1.0, 1.1                   ``bottleneck.*``, ``classifier.weight``  #352, #617
1.2, 1.3, today's          ``bottleneck.*``, ``weight``             #689
=========================  =======================================  ==================

A head is ``heads.`` of a Baseline, ``b1_head.`` to ``b33_head.`` of an MGN. With an embedding its
``bottleneck.0`` is the convolution and ``bottleneck.1`` the norm. Until March 2021 the buffers
``pixel_mean`` and ``pixel_std`` were written too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

# PyTorch counts the batches that a norm has seen, for a mode that nobody here uses.
BATCH_COUNTER = "num_batches_tracked"
# Of all releases until March 2021: what images were standardised with, in 0..255.
PIXEL_BUFFERS = ("pixel_mean", "pixel_std")
# The memory of MoCo's training, which features do not depend on.
_MEMORY = "memory.queue"
RELEASES = ("0.1.1", "1.0")


class _Rename(NamedTuple):
    """A part of a head, by its old name and today's; `{norm}` is 0, after a convolution 1."""

    old: str
    new: str
    releases: tuple[str, ...]


_RENAMES = (
    _Rename("classifier.weight", "weight", ("0.1.1", "1.0")),
    _Rename("bnneck", "bottleneck.{norm}", ("0.1.1",)),
)
_HEAD = re.compile(r"(?P<head>heads|b\d+_head)\.(?P<part>.+)")


def is_beside_weights(name: str) -> bool:
    """Tell whether a tensor of a checkpoint, by its name, takes no part in computing features."""
    return name.endswith(BATCH_COUNTER) or name in PIXEL_BUFFERS or name.startswith(_MEMORY)


def to_current_names(weights: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Rename what a release of fast-reid wrote to today's names.

    A name keeps as it is where today's is there too with another value, or where no head of today
    has such a part; loading refuses it then.

    Args:
        weights: PyTorch name -> array, or shape, of a whole model.

    Returns:
        The same by today's names, in the same order, and what to log about it.
    """
    current: dict[str, Any] = {}
    renamed: dict[str, int] = {}
    notes = []
    for name, value in weights.items():
        new, rule = _current_name(name, weights)
        if new == name or new not in weights:
            current[new] = value
        elif not (name.endswith(BATCH_COUNTER) or _is_same(value, weights[new])):
            current[name] = value
            notes.append(f"{name} and {new} are the same tensor by name, but differ")
            continue
        if rule:
            renamed[rule] = renamed.get(rule, 0) + 1
    if renamed:
        rules = ", ".join(f"{rule} ({count})" for rule, count in renamed.items())
        notes.insert(0, f"Names of an older fast-reid: {rules}")
    return current, notes


def to_release_names(weights: Mapping[str, Any], release: str) -> dict[str, Any]:
    """Rename today's names to those of an older release of fast-reid.

    Args:
        weights: PyTorch name -> array, or shape, of a whole model.
        release: one of `RELEASES`; "1.0" stands for 1.1 too, "0.1.1" for 0.1.

    Returns:
        The same by the names of that release, in the same order.

    Raises:
        ValueError: for another release.
    """
    if release not in RELEASES:
        raise ValueError(
            f"The names of fast-reid {release} are not known; known are {', '.join(RELEASES)}."
        )
    old = {}
    for name, value in weights.items():
        match = _HEAD.fullmatch(name)
        new_name = name
        for rename in _RENAMES:
            if match is None:
                break
            new = rename.new.format(norm=_place_of_norm(match["head"], weights))
            if release in rename.releases and _begins(match["part"], new):
                new_name = f"{match['head']}.{rename.old}{match['part'][len(new) :]}"
        old[new_name] = value
    return old


def _current_name(name: str, weights: Mapping[str, Any]) -> tuple[str, str]:
    """Find today's name, and the rule that says so; "" where the name is today's."""
    match = _HEAD.fullmatch(name)
    if match is None:
        return name, ""
    head, part = match["head"], match["part"]
    for rename in _RENAMES:
        if not _begins(part, rename.old):
            continue
        if rename.old == "bnneck" and _has_second_norm(head, weights):
            return name, ""
        new = rename.new.format(norm=_place_of_norm(head, weights))
        rule = f"{head}.{rename.old} is {head}.{new}"
        return f"{head}.{new}{part[len(rename.old) :]}", rule
    return name, ""


def _begins(part: str, start: str) -> bool:
    return part == start or part.startswith(f"{start}.")


def _place_of_norm(head: str, weights: Mapping[str, Any]) -> int:
    """A convolution before the norm has a weight and no running mean."""
    first = f"{head}.bottleneck.0"
    return int(f"{first}.weight" in weights and f"{first}.running_mean" not in weights)


def _has_second_norm(head: str, weights: Mapping[str, Any]) -> bool:
    """0.1's ReductionHead: convolution, norm, LeakyReLU, and `bnneck` as a second norm."""
    first = f"{head}.bottleneck"
    return (
        _place_of_norm(head, weights) == 1
        and f"{first}.1.running_mean" in weights
        and (f"{head}.bnneck.running_mean" in weights)
    )


def _is_same(one: Any, other: Any) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))
