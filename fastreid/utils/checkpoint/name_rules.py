"""Rules for the names of numbered parts, such as stages, in MindSpore models and PyTorch files.

The modules of backbones and heads register the rules for their parts by `register_names`. The first
translation imports `fastreid.modeling`, in case a script has not: it only converts files.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_INDEX, _NUMBER = "{i}", "{n}"


class _Rule(NamedTuple):
    """One part by both names, each with a pattern that finds it in a parameter name."""

    ours: str
    theirs: str
    our_pattern: re.Pattern[str]
    their_pattern: re.Pattern[str]

    @property
    def kind(self) -> str:
        """Name of the list of parts that the rule is about, such as "stages"."""
        return self.ours.partition(".")[0]


_RULE_SETS: list[tuple[_Rule, ...]] = []
_REGISTERING_PACKAGE = "fastreid.modeling"


def register_names(names: Mapping[str, str]) -> None:
    """Register the names of the numbered parts of a backbone or head.

    Several backbones may register the same PyTorch name. In a state dict, the first one registered
    that has all parts of a stage then decides the names in that stage.

    Args:
        names: MindSpore name -> PyTorch name of a part, such as "stages.{i}.router" -> "router{n}";
            {i} counts from 0, {n} from 1.
    """
    rules = tuple(
        _Rule(
            ours,
            theirs,
            re.compile(rf"\b{_pattern(ours, _INDEX)}\b"),
            re.compile(rf"\b{_pattern(theirs, _NUMBER)}(?=\.)"),
        )
        for ours, theirs in names.items()
    )
    _RULE_SETS.append(rules)


def _pattern(template: str, counter: str) -> str:
    before, _, after = template.partition(counter)
    return rf"{re.escape(before)}(?P<number>\d+){re.escape(after)}"


def _rule_sets() -> list[tuple[_Rule, ...]]:
    importlib.import_module(_REGISTERING_PACKAGE)
    return _RULE_SETS


def to_torch_parts(name: str) -> str:
    """Translate the parts in a MindSpore name.

    Args:
        name: dotted name of a parameter.

    Returns:
        The name with PyTorch's names for its numbered parts.
    """
    for rules in _rule_sets():
        for rule in rules:
            match = rule.our_pattern.search(name)
            if match:
                number = str(int(match["number"]) + 1)
                return _replaced(name, match, rule.theirs.replace(_NUMBER, number))
    return name


def to_mindspore_parts(names: Iterable[str]) -> dict[str, str]:
    """Translate the parts in the PyTorch names of a whole state dict.

    Args:
        names: dotted names of tensors.

    Returns:
        Each name -> the name with MindSpore's names for its numbered parts.
    """
    found = {name: _find_theirs(name) for name in names}
    parts: dict[tuple[str, int], set[str]] = {}
    for rule, match in filter(None, found.values()):
        parts.setdefault((rule.kind, int(match["number"])), set()).add(rule.theirs)
    translated = {}
    for name, place in found.items():
        translated[name] = name
        if place is not None:
            rule, match = place
            number = int(match["number"])
            ours = _choose(rule, parts[rule.kind, number]).ours.replace(_INDEX, str(number - 1))
            translated[name] = _replaced(name, match, ours)
    return translated


def _find_theirs(name: str) -> tuple[_Rule, re.Match[str]] | None:
    for rules in _rule_sets():
        for rule in rules:
            match = rule.their_pattern.search(name)
            if match:
                return rule, match
    return None


def _choose(rule: _Rule, parts: set[str]) -> _Rule:
    """Choose between rules of one PyTorch name by the parts beside it; by default the first."""
    for rules in _rule_sets():
        same = next((each for each in rules if each.theirs == rule.theirs), None)
        if same is not None and parts <= {each.theirs for each in rules}:
            return same
    return rule


def _replaced(name: str, match: re.Match[str], part: str) -> str:
    return name[: match.start()] + part + name[match.end() :]
