"""Read protocols from YAML files, and check them.

The keys of a file:
    NAME, SHORT, TITLE: its name (that of the file), another name, one line of description.
    CELLS: list of {TARGET: name, SOURCES: [names]}.
    SPLITS: target -> number of test splits, or list of their numbers; split 0 where it is missing.
    AVERAGE: targets of the column of means; all where it is missing.
    SETTINGS: dotted configuration key -> value that every run has.
    SELECTION: checkpoint to report: "last", or "target" for the best one on the targets.
    DATA: data set -> {VERSION, TRAIN, QUERY, GALLERY}: sizes are [identities, images].
    PAPERS: list of {PAPER, AS_HERE, HOW}: who ran it with these settings, who with others.
    PUBLISHED: list of {METHOD, VENUE, SOURCE, SCORES: target -> [mAP, Rank-1]}.
    SOURCES: letter of SOURCE -> where the numbers are from.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastreid.config import is_setting
from fastreid.config.yaml_file import plain, read_yaml

from .spec import (
    SELECTIONS,
    SUBSETS,
    DataRule,
    Paper,
    Protocol,
    Published,
    Route,
    Score,
    Size,
)

_REQUIRED = ("NAME", "SHORT", "TITLE", "CELLS", "SETTINGS", "SELECTION")
_OPTIONAL = ("SPLITS", "AVERAGE", "DATA", "PAPERS", "PUBLISHED", "SOURCES")


def read_protocol(path: str | Path) -> Protocol:
    """Read a protocol.

    Args:
        path: YAML file.

    Returns:
        The protocol. Whether its data sets are registered is not checked here.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not YAML, or a key is missing, unknown or wrong; the message names
            file and key.
    """
    path = Path(path)
    values = plain(read_yaml(path))
    try:
        return _as_protocol(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def find_protocol(word: str, folder: Path) -> Protocol:
    """Find a protocol by the name that a user gives.

    Args:
        word: name, short name, or path of a YAML file.
        folder: folder of protocol files.

    Returns:
        The protocol.

    Raises:
        ValueError: there is no such protocol; the message lists those of the folder.
    """
    if word.endswith((".yml", ".yaml")):
        return read_protocol(word)
    protocols = [read_protocol(path) for path in sorted(folder.glob("*.yml"))]
    for protocol in protocols:
        if word in (protocol.name, protocol.short):
            return protocol
    names = [name for protocol in protocols for name in (protocol.name, protocol.short)]
    near = difflib.get_close_matches(word, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = ", ".join(f"{protocol.short} ({protocol.name})" for protocol in protocols)
    raise ValueError(
        f"There is no protocol {word!r} in {folder}.{hint} There are {known}; or give a YAML file."
    )


def _as_protocol(values: Mapping[str, Any]) -> Protocol:
    _check_keys(values, _REQUIRED, _OPTIONAL, "the file")
    splits = _mapping(values, "SPLITS")
    routes = tuple(_route(cell, splits) for cell in _list(values, "CELLS"))
    if not routes:
        raise ValueError("CELLS is empty; it must have a target with its sources.")
    targets = tuple(dict.fromkeys(route.target for route in routes))
    if len(set(routes)) < len(routes):
        raise ValueError("CELLS has the same target and sources twice.")
    for key in ("SPLITS", "AVERAGE"):
        _check_known(values.get(key) or (), targets, key)
    if values["SELECTION"] not in SELECTIONS:
        raise ValueError(f"SELECTION is {values['SELECTION']!r}; it must be one of {SELECTIONS}.")
    settings = _mapping(values, "SETTINGS")
    for key in settings:
        if not is_setting(key):
            raise ValueError(f"SETTINGS has {key!r}, which is no key of the configuration.")
    origins = _mapping(values, "SOURCES")
    named = {name for route in routes for name in (*route.sources, route.target)}
    rules = _mapping(values, "DATA")
    _check_known(rules, named, "DATA")
    return Protocol(
        name=str(values["NAME"]),
        short=str(values["SHORT"]),
        title=str(values["TITLE"]),
        routes=routes,
        average=tuple(values.get("AVERAGE") or targets),
        settings=settings,
        selection=values["SELECTION"],
        data={name: _rule(rule, f"DATA.{name}") for name, rule in rules.items()},
        papers=tuple(map(_paper, _list(values, "PAPERS"))),
        published=tuple(_row(row, targets, origins) for row in _list(values, "PUBLISHED")),
        sources=origins,
    )


def _route(cell: Any, splits: Mapping[str, Any]) -> Route:
    _check_keys(cell, ("TARGET", "SOURCES"), (), "an entry of CELLS")
    target, sources = str(cell["TARGET"]), cell["SOURCES"]
    if not isinstance(sources, list) or not sources:
        raise ValueError(f"CELLS: the sources of {target} must be a list of names.")
    sources = tuple(map(str, sources))
    twice = sorted({name for name in sources if sources.count(name) > 1})
    if twice:
        raise ValueError(f"CELLS: {twice[0]} is twice among the sources of {target}.")
    if target in sources:
        raise ValueError(
            f"CELLS: the target {target} is among its own sources {list(sources)}; a model must "
            "not be trained on the data set that it is tested on."
        )
    return Route(sources, target, _split_numbers(splits.get(target, 1), f"SPLITS.{target}"))


def _split_numbers(value: Any, place: str) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int) for n in numbers):
        raise ValueError(f"{place} is {value!r}; it must be a number or a list of numbers.")
    if isinstance(value, list):
        if min(numbers) < 0 or len(set(numbers)) < len(numbers):
            raise ValueError(f"{place} is {value!r}; its numbers must be 0 or more and differ.")
        return tuple(numbers)
    if value < 1:
        raise ValueError(f"{place} is {value}; it must be at least 1.")
    return tuple(range(value))


def _rule(rule: Any, place: str) -> DataRule:
    _check_keys(rule, (), ("VERSION", *map(str.upper, SUBSETS)), place)
    sizes = {
        subset: Size(*_pair(rule[subset.upper()], f"{place}.{subset.upper()}", int))
        for subset in SUBSETS
        if subset.upper() in rule
    }
    return DataRule(str(rule.get("VERSION", "")), sizes)


def _paper(entry: Any) -> Paper:
    _check_keys(entry, ("PAPER", "AS_HERE", "HOW"), (), "an entry of PAPERS")
    if not isinstance(entry["AS_HERE"], bool):
        raise ValueError(f"PAPERS, {entry['PAPER']}: AS_HERE must be True or False.")
    return Paper(str(entry["PAPER"]), entry["AS_HERE"], str(entry["HOW"]))


def _row(row: Any, targets: Sequence[str], origins: Mapping[str, Any]) -> Published:
    _check_keys(row, ("METHOD", "VENUE", "SOURCE", "SCORES"), (), "an entry of PUBLISHED")
    place = f"PUBLISHED, {row['METHOD']}"
    _check_known(row["SCORES"], targets, f"{place}: SCORES")
    letters = [letter.strip() for letter in str(row["SOURCE"]).split(",")]
    _check_known(letters, list(origins), f"{place}: SOURCE")
    scores = {
        target: Score(*_pair(pair, f"{place}: SCORES.{target}", float))
        for target, pair in row["SCORES"].items()
    }
    if any(not 0 <= value <= 100 for score in scores.values() for value in score):
        raise ValueError(f"{place}: SCORES must be in percent, from 0 to 100.")
    return Published(str(row["METHOD"]), str(row["VENUE"]), ", ".join(letters), scores)


def _check_keys(values: Any, required: Sequence[str], optional: Sequence[str], place: str) -> None:
    if not isinstance(values, Mapping):
        raise ValueError(f"{place} must have keys and values, but is {values!r:.100}.")
    for key in required:
        if key not in values:
            raise ValueError(f"{place} lacks the key {key}.")
    _check_known(values, (*required, *optional), place)


def _check_known(names: Any, known: Any, place: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{place} has {name!r}, which is not one of {sorted(known)}.")


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key) or {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{key} must have keys and values, but is {found!r:.100}.")
    return found


def _list(values: Mapping[str, Any], key: str) -> list:
    found = values.get(key) or []
    if not isinstance(found, list):
        raise ValueError(f"{key} must be a list, but is {found!r:.100}.")
    return found


def _pair(value: Any, place: str, kind: Callable[[Any], Any]) -> tuple[Any, Any]:
    is_pair = isinstance(value, list) and len(value) == 2
    if not is_pair or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in value):
        raise ValueError(f"{place} is {value!r:.100}; it must be a list of two numbers.")
    return kind(value[0]), kind(value[1])
