"""Find the mappings of tensors in what a file holds, however deep they lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..formats.pth_objects import Record
from ..formats.pth_tensors import NumpyArray, TensorView, UnreadableTensorError

_MOST_KEYS = 4
_MOST_MAPPINGS = 1000
_MOST_TENSORS = 100_000
# States of optimizers and schedules are tensors by name too, but no weights.
_NOT_WEIGHTS = re.compile(r"optimi[sz]er|(^|_)optim(_|$)|sched|scaler|(^|_)rng", re.IGNORECASE)
# Last parts of the names that PyTorch's layers give their tensors.
_WEIGHT_NAMES = ("weight", "bias", "running_mean", "running_var")
_LONGEST_NAME = 200
_TENSORS = (TensorView, NumpyArray)


class Candidate(NamedTuple):
    """A mapping of tensors in a file.

    Attributes:
        place: keys that lead to it, with "/" between; "" for the file itself.
        weights: name -> array, which cannot be written to.
        unreadable: name -> what stands there in place of an array.
    """

    place: str
    weights: dict[str, np.ndarray]
    unreadable: dict[str, str]


class Found(NamedTuple):
    """What `find_candidates` found.

    Attributes:
        candidates: in the order in which a reader meets them, outer ones first.
        networks: place -> class, of whole networks that were saved as objects.
    """

    candidates: list[Candidate]
    networks: dict[str, str]


def find_candidates(content: Any) -> Found:
    """Find all mappings of tensors in what `read_pth` gave.

    Only text keys are followed, at most four of them, and none that speaks of an optimizer, a
    schedule, a loss scale or random numbers. A mapping that has a tensor is a candidate; what
    stands beside its tensors is passed over, but for what has the name of a weight.

    Args:
        content: plain values and stand-ins.

    Returns:
        The candidates.

    Raises:
        ValueError: there are more than 100,000 tensors.
    """
    candidates, networks, count = [], {}, 0
    for place, items, class_name in _mappings(content):
        if class_name:
            networks[place] = class_name
            continue
        count += sum(isinstance(value, _TENSORS) for value in items.values())
        if count > _MOST_TENSORS:
            raise ValueError(f"it has more than {_MOST_TENSORS:,} tensors")
        candidate = _candidate(place, items)
        if candidate.weights or candidate.unreadable:
            candidates.append(candidate)
    return Found(candidates, networks)


def _mappings(content: Any) -> Iterator[tuple[str, dict[Any, Any], str]]:
    """Walk through dicts and records, level by level; each is met once.

    Yields the place, the keys and values, and the class of a whole network.
    """
    level: list[tuple[tuple[str, ...], Any]] = [((), content)]
    met: set[int] = set()
    while level:
        following = []
        for keys, thing in level:
            if not isinstance(thing, (dict, Record)):
                continue
            # Records may share their items.
            items = thing.items if isinstance(thing, Record) else thing
            if id(items) in met:
                continue
            if len(met) == _MOST_MAPPINGS:
                return
            met.add(id(items))
            class_name = thing.module_class() if isinstance(thing, Record) else ""
            yield "/".join(keys), items, class_name
            if len(keys) < _MOST_KEYS:
                following += [
                    ((*keys, key), value)
                    for key, value in items.items()
                    if isinstance(key, str)
                    and len(key) <= _LONGEST_NAME
                    and not _NOT_WEIGHTS.search(key)
                ]
        level = following


def _candidate(place: str, mapping: dict[Any, Any]) -> Candidate:
    weights: dict[str, np.ndarray] = {}
    unreadable: dict[str, str] = {}
    for name, value in mapping.items():
        if not isinstance(name, str) or len(name) > _LONGEST_NAME:
            continue
        if isinstance(value, _TENSORS):
            try:
                weights[name] = value.to_array()
            except UnreadableTensorError as error:
                unreadable[name] = str(error)
        elif isinstance(value, Record) and (
            value.is_tensor or name.rpartition(".")[2] in _WEIGHT_NAMES
        ):
            unreadable[name] = f"an object of {value.name}"
    unreadable = {name: what for name, what in unreadable.items() if is_weight_name(name)}
    return Candidate(place, weights, unreadable)


def is_weight_name(name: str) -> bool:
    """Tell whether a tensor of this name is one of a network: a part of something, or a weight.

    Args:
        name: key of a mapping.
    """
    return "." in name or name in _WEIGHT_NAMES
