"""Find the mappings of tensors in the content of a file, at any level of its dicts."""

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
# Keys of states of optimizers, schedulers and the like, which contain tensors but no weights.
_NOT_WEIGHTS = re.compile(r"optimi[sz]er|(^|_)optim(_|$)|sched|scaler|(^|_)rng", re.IGNORECASE)
# Last part of the names of tensors in PyTorch's layers.
_WEIGHT_NAMES = ("weight", "bias", "running_mean", "running_var")
_LONGEST_NAME = 200
_TENSORS = (TensorView, NumpyArray)


class Candidate(NamedTuple):
    """A mapping of tensors in a file.

    Attributes:
        key_path: the keys that lead to the mapping, joined by "/"; "" for the file itself.
        weights: read-only arrays by name.
        unreadable: descriptions of tensors that cannot be converted to arrays, by name.
    """

    key_path: str
    weights: dict[str, np.ndarray]
    unreadable: dict[str, str]


class SearchResult(NamedTuple):
    """Result of `find_candidates`.

    Attributes:
        candidates: the mappings of tensors, outer ones first, otherwise in the order of the file.
        networks: classes of whole networks that were saved as objects, by key path.
    """

    candidates: list[Candidate]
    networks: dict[str, str]


def find_candidates(content: Any) -> SearchResult:
    """Find all mappings of tensors in the content of a PyTorch file.

    The search follows text keys to a depth of four, except those of an optimizer, a scheduler, a
    loss scaler or random generators. A mapping with at least one tensor is a candidate; its other
    values are ignored unless they have the name of a weight.

    Args:
        content: result of `read_pth`.

    Returns:
        The candidates, and the networks that were saved as objects.

    Raises:
        ValueError: there are more than 100,000 tensors.
    """
    candidates, networks, count = [], {}, 0
    for key_path, items, class_name in _mappings(content):
        if class_name:
            networks[key_path] = class_name
            continue
        count += sum(isinstance(value, _TENSORS) for value in items.values())
        if count > _MOST_TENSORS:
            raise ValueError(f"it has more than {_MOST_TENSORS:,} tensors")
        candidate = _candidate(key_path, items)
        if candidate.weights or candidate.unreadable:
            candidates.append(candidate)
    return SearchResult(candidates, networks)


def _mappings(content: Any) -> Iterator[tuple[str, dict[Any, Any], str]]:
    """Visit each dict and record once, level by level.

    Yields its key path, its keys and values, and the class name if it is a whole network.
    """
    level: list[tuple[tuple[str, ...], Any]] = [((), content)]
    met: set[int] = set()
    while level:
        following = []
        for keys, thing in level:
            if not isinstance(thing, (dict, Record)):
                continue
            # Several records can share one dict of items.
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


def _candidate(key_path: str, mapping: dict[Any, Any]) -> Candidate:
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
    return Candidate(key_path, weights, unreadable)


def is_weight_name(name: str) -> bool:
    """Return whether a tensor's name is that of a network's parameter or statistic.

    Args:
        name: key of a mapping. Dotted names and the names in PyTorch's layers are accepted.
    """
    return "." in name or name in _WEIGHT_NAMES
