"""Translate tensor names between older releases of fast-reid and the current one.

Names in each release, with issues of JDAI-CV/fast-reid that show them:

=========================  =======================================  ==================
release                    neck and classifier of a head            issues
=========================  =======================================  ==================
0.1, 0.1.1 (model zoo)     ``bnneck.*``, ``classifier.weight``      #427, #453, #486
the zoo, neck renamed      ``bottleneck.0.*``, and a remaining      #617, #693
                           ``bnneck.num_batches_tracked``,
                           ``classifier.weight``
1.0, 1.1                   ``bottleneck.*``, ``classifier.weight``  #352, #617
1.2, 1.3, current          ``bottleneck.*``, ``weight``             #689
=========================  =======================================  ==================

The prefix of a head is ``heads.`` in a Baseline and ``b1_head.`` to ``b33_head.`` in an MGN. In a
head with an embedding, ``bottleneck.0`` is the convolution and ``bottleneck.1`` the norm. Until
March 2021 the buffers ``pixel_mean`` and ``pixel_std`` were saved too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

# PyTorch's count of a norm's batches, used only with momentum=None.
BATCH_COUNTER = "num_batches_tracked"
# Pixel mean and standard deviation in 0..255, saved until March 2021.
PIXEL_BUFFERS = ("pixel_mean", "pixel_std")
# The queue of MoCo's training, which does not affect features.
_MEMORY = "memory.queue"
# What a DistillerOverhaul learns beside its student.
_DISTILLATION = re.compile(r"(connectors_\d+\.|margin\d+_\d+$)")
RELEASES = ("0.1.1", "1.0")


class _Rename(NamedTuple):
    """Old and new name of a part of a head.

    Attributes:
        old: name in the old releases.
        new: current name; `{norm}` is the index of the norm in the neck: 1 after a convolution,
            else 0.
        releases: the releases with the old name.
    """

    old: str
    new: str
    releases: tuple[str, ...]


_RENAMES = (
    _Rename("classifier.weight", "weight", ("0.1.1", "1.0")),
    _Rename("bnneck", "bottleneck.{norm}", ("0.1.1",)),
)
_HEAD = re.compile(r"(?P<head>heads|b\d+_head)\.(?P<part>.+)")


def is_auxiliary(name: str) -> bool:
    """Return whether a tensor has no effect on features, by its name in a checkpoint."""
    return (
        name.endswith(BATCH_COUNTER)
        or name in PIXEL_BUFFERS
        or name.startswith(_MEMORY)
        or _DISTILLATION.match(name) is not None
    )


def to_current_names(weights: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Rename the weights of any release of fast-reid to the current names.

    A name is kept if the current name exists too with another value, or if the current heads have
    no such part. Loading raises an error then.

    Args:
        weights: arrays or shapes of a whole model, by PyTorch name.

    Returns:
        The same values by current name, in the same order, and notes for the log.
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
            notes.append(f"{name} and {new} are names of the same tensor, but the values differ")
            continue
        if rule:
            renamed[rule] = renamed.get(rule, 0) + 1
    if renamed:
        rules = ", ".join(f"{rule} ({count})" for rule, count in renamed.items())
        notes.insert(0, f"Names of an older fast-reid: {rules}")
    return current, notes


def to_release_names(weights: Mapping[str, Any], release: str) -> dict[str, Any]:
    """Rename current names to those of an older release of fast-reid.

    Args:
        weights: arrays or shapes of a whole model, by PyTorch name.
        release: one of `RELEASES`; "1.0" includes 1.1, "0.1.1" includes 0.1.

    Returns:
        The same values by the names of that release, in the same order.

    Raises:
        ValueError: the release is unknown.
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
            new = rename.new.format(norm=_index_of_norm(match["head"], weights))
            if release in rename.releases and _begins(match["part"], new):
                new_name = f"{match['head']}.{rename.old}{match['part'][len(new) :]}"
        old[new_name] = value
    return old


def _current_name(name: str, weights: Mapping[str, Any]) -> tuple[str, str]:
    """Return the current name and the renaming rule as a text; "" if the name is current."""
    match = _HEAD.fullmatch(name)
    if match is None:
        return name, ""
    head, part = match["head"], match["part"]
    for rename in _RENAMES:
        if not _begins(part, rename.old):
            continue
        if rename.old == "bnneck" and _has_second_norm(head, weights):
            return name, ""
        new = rename.new.format(norm=_index_of_norm(head, weights))
        rule = f"{head}.{rename.old} is {head}.{new}"
        return f"{head}.{new}{part[len(rename.old) :]}", rule
    return name, ""


def _begins(part: str, start: str) -> bool:
    return part == start or part.startswith(f"{start}.")


def _index_of_norm(head: str, weights: Mapping[str, Any]) -> int:
    """Return the norm's index in the neck: 1 after a convolution, which has no running mean."""
    first = f"{head}.bottleneck.0"
    return int(f"{first}.weight" in weights and f"{first}.running_mean" not in weights)


def _has_second_norm(head: str, weights: Mapping[str, Any]) -> bool:
    """Detect the ReductionHead of 0.1: convolution, norm, LeakyReLU, and `bnneck`, another norm."""
    first = f"{head}.bottleneck"
    return (
        _index_of_norm(head, weights) == 1
        and f"{first}.1.running_mean" in weights
        and (f"{head}.bnneck.running_mean" in weights)
    )


def _is_same(one: Any, other: Any) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))
