"""Choose the weights of a model among the mappings of tensors in a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from ..release_names import to_current_names
from .candidates import Candidate, is_weight_name

# Between a file and a place in it.
SEPARATOR = "::"
# How a user names the tensors that lie in no key.
_WHOLE = "'.' (the file itself)"
# Of wrappers, wherever they stand in a name: only a part of a network may have been wrapped.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# What holds a whole network, where no model tells which beginning of the names is too much.
_HOLDERS = ("model.", "network.", "net.")
_MOST_BEGINNINGS = 4
# Without a model: what has fewer tensors than this part of the largest is no second network.
_SMALL = 0.5

_Value = TypeVar("_Value")


class Choice(NamedTuple):
    """The weights that were taken.

    Attributes:
        weights: PyTorch name -> array, without what wraps the names.
        place: where they lie in the file, "" for the file itself.
        dropped: beginnings and wrappers that were taken off the names.
        passed_over: tensors that lie beside them under other beginnings.
    """

    weights: dict[str, np.ndarray]
    place: str
    dropped: tuple[str, ...]
    passed_over: int

    def describe(self) -> str:
        """Say what was unwrapped, "" if nothing was."""
        parts = []
        if self.place:
            parts.append(f"taken from {self.place!r}")
        if self.dropped:
            parts.append(f"names without {', '.join(map(repr, self.dropped))}")
        if self.passed_over:
            parts.append(f"other tensors passed over: {self.passed_over}")
        return "; ".join(parts)


class _Variant(NamedTuple):
    """A candidate whose names are read in one way.

    `place` is what a user can name it by. `needed` are the arrays that the model needs, by today's
    names; without a model all of them.
    """

    choice: Choice
    place: str
    needed: dict[str, np.ndarray]
    unreadable: dict[str, str]
    clash: list[str]
    score: int
    is_fit: bool


def choose(
    candidates: Sequence[Candidate],
    expected: Mapping[str, tuple[int, ...]] | None,
    path: str | Path,
    *,
    wanted: str = "",
) -> Choice:
    """Choose the one mapping of tensors that is meant.

    With a model: wrappers (``module.``, ``_orig_mod.``) are taken off the names. A mapping fits if,
    after `to_current_names`, it has every name that the model expects, in its shape; a beginning
    that the fitting names share is taken off where the names as they are have fewer of the model's.
    One that fits is taken; of several with the same values the first; several with other values
    are refused. If none fits, the one with the most names of the model goes on, so that loading
    can say what differs; several that have equally many, more than half, are refused too.

    Without a model: a mapping with half as many names of weights (``conv.weight``) as the largest,
    or more, takes part. One is taken; of several with the same names and values the first; else
    they are refused. ``model.``, ``network.`` and ``net.`` are taken off, as often as all names
    begin so.

    Args:
        candidates: of `find_candidates`; at least one.
        expected: PyTorch name -> shape of what the model needs; None: no model is known.
        path: of the file, for messages.
        wanted: the place that the user named; "": none.

    Raises:
        ValueError: it is not clear which mapping is meant, `wanted` is none of them, or one of the
            weights cannot be read.
    """
    if wanted:
        candidates = [_at(candidates, wanted, path)]
    if expected:
        variants = [v for candidate in candidates for v in _variants(candidate, expected)]
        meant = _best(variants, len(expected))
    else:
        variants = [_unwrapped(candidate) for candidate in candidates]
        least = _SMALL * max(variant.score for variant in variants)
        meant = [variant for variant in variants if variant.score >= least]
    chosen = meant[0]
    others = [other for other in meant[1:] if not _is_same(chosen, other)]
    if others:
        raise ValueError(_say_ambiguous([chosen, *others], path))
    _require_sound(chosen, path)
    return chosen.choice


def _best(variants: Sequence[_Variant], num_expected: int) -> list[_Variant]:
    """Give those that fit; where none does, those with the most names of the model."""
    fitting = [variant for variant in variants if variant.is_fit]
    if fitting:
        return fitting
    most = max(variant.score for variant in variants)
    best = [variant for variant in variants if variant.score == most]
    # Half of the names and half of the shapes: a score counts both.
    return best if most > num_expected else best[:1]


def _variants(candidate: Candidate, expected: Mapping[str, tuple[int, ...]]) -> list[_Variant]:
    """Read the names of a candidate in every way that has names of the model."""
    plain, dropped, clash = _without_wrappers(candidate)
    counts: Counter[str] = Counter()
    for name in (*plain.weights, *plain.unreadable):
        # A name of the model may be any of the ends of this one.
        starts = [0, *(match.end() for match in re.finditer(r"\.", name))]
        counts.update(name[:start] for start in starts if name[start:] in expected)
    beginnings = [start for start, _ in counts.most_common(_MOST_BEGINNINGS)]
    if counts[""] == max(counts.values(), default=0):
        beginnings = [""]
    variants = []
    for start in beginnings:
        part = _without_numbers(_below(plain, start), expected)
        current, _ = to_current_names(part.weights)
        needed = {name: current[name] for name in expected if name in current}
        fitting = [name for name, value in needed.items() if np.shape(value) == expected[name]]
        known = [name for name in expected if name in needed or name in part.unreadable]
        choice = Choice(
            part.weights,
            candidate.place,
            (*dropped, start) if start else dropped,
            len(plain.weights) - len(part.weights),
        )
        place = "/".join(filter(None, (candidate.place, start.rstrip("."))))
        is_fit = len(fitting) == len(expected)
        score = len(known) + len(fitting)
        variants.append(_Variant(choice, place, needed, part.unreadable, clash, score, is_fit))
    return variants


def _unwrapped(candidate: Candidate) -> _Variant:
    """Read the names of a candidate without a model."""
    plain, dropped, clash = _without_wrappers(candidate)
    names = [*plain.weights, *plain.unreadable]
    # Not with names that are there twice: those are refused.
    while names and not clash:
        holder = next((h for h in _HOLDERS if all(name.startswith(h) for name in names)), None)
        if holder is None:
            break
        plain, dropped = _below(plain, holder), (*dropped, holder)
        names = [*plain.weights, *plain.unreadable]
    choice = Choice(plain.weights, candidate.place, tuple(dict.fromkeys(dropped)), 0)
    score = sum(map(is_weight_name, names))
    return _Variant(
        *(choice, candidate.place, plain.weights, plain.unreadable, clash, score), is_fit=False
    )


def _without_wrappers(candidate: Candidate) -> tuple[Candidate, tuple[str, ...], list[str]]:
    """Take wrappers off the names; also give which ones, and names that would be there twice."""
    plain = {name: _plain_name(name) for name in (*candidate.weights, *candidate.unreadable)}
    counts = Counter(plain.values())
    clash = sorted(name for name, count in counts.items() if count > 1)
    if clash:
        return candidate, (), clash
    parts = {part for name, short in plain.items() if name != short for part in name.split(".")}
    dropped = tuple(f"{part}." for part in _WRAPPERS if part in parts)
    renamed = Candidate(
        candidate.place,
        {plain[name]: value for name, value in candidate.weights.items()},
        {plain[name]: value for name, value in candidate.unreadable.items()},
    )
    return renamed, dropped, []


def _plain_name(name: str) -> str:
    *parents, leaf = name.split(".")
    return ".".join([*(part for part in parents if part not in _WRAPPERS), leaf])


def _below(candidate: Candidate, start: str) -> Candidate:
    """Keep what begins so, without the beginning."""

    def cut(part: dict[str, _Value]) -> dict[str, _Value]:
        return {name[len(start) :]: part[name] for name in part if name.startswith(start)}

    return Candidate(candidate.place, cut(candidate.weights), cut(candidate.unreadable))


def _without_numbers(candidate: Candidate, expected: Mapping[str, tuple[int, ...]]) -> Candidate:
    """Pass over single numbers beside the weights, such as the best score."""
    weights = {
        name: value
        for name, value in candidate.weights.items()
        if name in expected or is_weight_name(name) or value.size > 1
    }
    return Candidate(candidate.place, weights, candidate.unreadable)


def _at(candidates: Sequence[Candidate], wanted: str, path: str | Path) -> Candidate:
    """Find what a user named: a place, or a place and a beginning of the names there."""
    wanted = wanted.strip("/").rstrip(".")
    for candidate in candidates:
        if candidate.place == wanted:
            return candidate
    for candidate in candidates:
        above = f"{candidate.place}/" if candidate.place else ""
        if not wanted.startswith(above):
            continue
        # Messages name the places without wrappers.
        for names in (candidate, _without_wrappers(candidate)[0]):
            part = _below(names, f"{wanted[len(above) :]}.")
            if part.weights or part.unreadable:
                return Candidate(wanted, part.weights, part.unreadable)
    places = sorted({candidate.place or _WHOLE for candidate in candidates})
    raise ValueError(
        f"{path} has no weights at {wanted!r}; it has some at: {', '.join(places[:10])}."
    )


def _is_same(one: _Variant, other: _Variant) -> bool:
    if one.unreadable or other.unreadable or one.needed.keys() != other.needed.keys():
        return False
    return all(np.array_equal(value, other.needed[name]) for name, value in one.needed.items())


def _say_ambiguous(variants: Sequence[_Variant], path: str | Path) -> str:
    places = [variant.place for variant in variants if variant.place]
    whole = len(places) < len(variants)
    named = [*([_WHOLE] if whole else []), *map(repr, dict.fromkeys(places))]
    example = places[-1] if places else ""
    return (
        f"{path} has several sets of weights with other values, and each could be meant: "
        f"{', '.join(named[:10])}. Name one behind the file, for example {path}{SEPARATOR}{example}"
    )


def _require_sound(chosen: _Variant, path: str | Path) -> None:
    if chosen.clash:
        raise ValueError(
            f"{path}: Tensors with and without the prefix '{_WRAPPERS[0]}.' or another wrapper: "
            f"{chosen.clash[:5]}."
        )
    if chosen.unreadable:
        name, what = next(iter(chosen.unreadable.items()))
        more = len(chosen.unreadable) - 1
        raise ValueError(
            f"{path} cannot be read as weights: {name!r} is {what}"
            f"{f', and {more} more are like it' if more else ''}. Save plain tensors: "
            "torch.save(model.state_dict(), ...), without quantised or sparse ones."
        )
