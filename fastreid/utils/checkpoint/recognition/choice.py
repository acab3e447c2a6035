"""Select the weights of a model among the mappings of tensors in a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from ..release_names import to_current_names
from .candidates import Candidate, is_weight_name

# Between the path of a file and the key path in it.
SEPARATOR = "::"
# The key path, in messages, of tensors at the top level of a file.
_TOP_LEVEL = "'.' (the file itself)"
# Name parts of PyTorch's wrappers; anywhere in a name, since a part of a network can be wrapped.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Prefixes that are removed if no model is known. With a model, any prefix can be removed.
_HOLDERS = ("model.", "network.", "net.")
# Maximum number of prefixes that are tried.
_MOST_PREFIXES = 4
# Without a model, a mapping with fewer tensors than this fraction of the largest one is ignored.
_SMALL = 0.5

_Value = TypeVar("_Value")


class Choice(NamedTuple):
    """The selected weights.

    Attributes:
        weights: arrays by PyTorch name, without wrappers and prefixes.
        key_path: the keys that lead to them, joined by "/"; "" for the file itself.
        dropped: prefixes and wrappers that were removed from the names.
        ignored: number of other tensors in the mapping, under other prefixes.
    """

    weights: dict[str, np.ndarray]
    key_path: str
    dropped: tuple[str, ...]
    ignored: int

    def describe(self) -> str:
        """Describe key path, removed prefixes and ignored tensors; "" if there are none."""
        parts = []
        if self.key_path:
            parts.append(f"taken from {self.key_path!r}")
        if self.dropped:
            parts.append(f"names without {', '.join(map(repr, self.dropped))}")
        if self.ignored:
            parts.append(f"other tensors ignored: {self.ignored}")
        return "; ".join(parts)


class _Variant(NamedTuple):
    """A candidate with one choice of the prefix to remove.

    Attributes:
        choice: the weights of this variant.
        key_path: key path by which a user can select it.
        needed: the arrays that the model needs, by current names; all of them without a model.
        unreadable: as in `Candidate`.
        clash: names that exist with and without a wrapper.
        score: number of the model's names, plus that of the matching shapes.
        is_fit: whether all names and shapes of the model match.
    """

    choice: Choice
    key_path: str
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
    """Select one of the mappings of tensors in a file.

    With a model: wrappers (``module.``, ``_orig_mod.``) are removed from the names, and a common
    prefix is removed if more names of the model match then. A mapping fits if, after
    `to_current_names`, it has every name of the model in the right shape. If one mapping fits, it
    is selected; if several fit and have the same values, the first one is; if their values differ,
    an error is raised. If none fits, the mapping with the most names of the model is selected, so
    that loading it reports the differences. If several mappings have equally many, more than half
    of the names, an error is raised.

    Without a model: mappings with less than half as many weight names (``conv.weight``) as the
    largest one are ignored. A single mapping is selected; of several with the same names and values
    the first one is; if they differ, an error is raised. The prefixes ``model.``, ``network.`` and
    ``net.`` are removed while all names have them.

    Args:
        candidates: candidates of `find_candidates`; at least one.
        expected: shapes that the model needs, by PyTorch name; None without a model.
        path: the file, for messages.
        wanted: key path given by the user; "" if not given.

    Returns:
        The selected weights.

    Raises:
        ValueError: the selection is ambiguous, there are no weights at `wanted`, or a selected
            tensor cannot be read.
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
        raise ValueError(_ambiguity_message([chosen, *others], path))
    _check_readable(chosen, path)
    return chosen.choice


def _best(variants: Sequence[_Variant], num_expected: int) -> list[_Variant]:
    """Return the fitting variants; if there are none, those with the highest score."""
    fitting = [variant for variant in variants if variant.is_fit]
    if fitting:
        return fitting
    most = max(variant.score for variant in variants)
    best = [variant for variant in variants if variant.score == most]
    # The score counts names and shapes, so this is half of the maximum.
    return best if most > num_expected else best[:1]


def _variants(candidate: Candidate, expected: Mapping[str, tuple[int, ...]]) -> list[_Variant]:
    """Make a variant for each prefix after which names of the model follow."""
    plain, dropped, clash = _without_wrappers(candidate)
    counts: Counter[str] = Counter()
    for name in (*plain.weights, *plain.unreadable):
        # A name of the model may be the end of this name after any dot.
        starts = [0, *(match.end() for match in re.finditer(r"\.", name))]
        counts.update(name[:start] for start in starts if name[start:] in expected)
    prefixes = [start for start, _ in counts.most_common(_MOST_PREFIXES)]
    if counts[""] == max(counts.values(), default=0):
        prefixes = [""]
    variants = []
    for start in prefixes:
        part = _without_numbers(_below(plain, start), expected)
        current, _ = to_current_names(part.weights)
        needed = {name: current[name] for name in expected if name in current}
        fitting = [name for name, value in needed.items() if np.shape(value) == expected[name]]
        known = [name for name in expected if name in needed or name in part.unreadable]
        choice = Choice(
            part.weights,
            candidate.key_path,
            (*dropped, start) if start else dropped,
            len(plain.weights) - len(part.weights),
        )
        key_path = "/".join(filter(None, (candidate.key_path, start.rstrip("."))))
        is_fit = len(fitting) == len(expected)
        score = len(known) + len(fitting)
        variants.append(_Variant(choice, key_path, needed, part.unreadable, clash, score, is_fit))
    return variants


def _unwrapped(candidate: Candidate) -> _Variant:
    """Make the variant of a candidate without a model."""
    plain, dropped, clash = _without_wrappers(candidate)
    names = [*plain.weights, *plain.unreadable]
    # Clashing names raise an error later.
    while names and not clash:
        holder = next((h for h in _HOLDERS if all(name.startswith(h) for name in names)), None)
        if holder is None:
            break
        plain, dropped = _below(plain, holder), (*dropped, holder)
        names = [*plain.weights, *plain.unreadable]
    choice = Choice(plain.weights, candidate.key_path, tuple(dict.fromkeys(dropped)), 0)
    score = sum(map(is_weight_name, names))
    return _Variant(
        *(choice, candidate.key_path, plain.weights, plain.unreadable, clash, score), is_fit=False
    )


def _without_wrappers(candidate: Candidate) -> tuple[Candidate, tuple[str, ...], list[str]]:
    """Remove wrappers from the names; also return the wrappers, and names that would clash."""
    plain = {name: _plain_name(name) for name in (*candidate.weights, *candidate.unreadable)}
    counts = Counter(plain.values())
    clash = sorted(name for name, count in counts.items() if count > 1)
    if clash:
        return candidate, (), clash
    parts = {part for name, short in plain.items() if name != short for part in name.split(".")}
    dropped = tuple(f"{part}." for part in _WRAPPERS if part in parts)
    renamed = Candidate(
        candidate.key_path,
        {plain[name]: value for name, value in candidate.weights.items()},
        {plain[name]: value for name, value in candidate.unreadable.items()},
    )
    return renamed, dropped, []


def _plain_name(name: str) -> str:
    *parents, leaf = name.split(".")
    return ".".join([*(part for part in parents if part not in _WRAPPERS), leaf])


def _below(candidate: Candidate, start: str) -> Candidate:
    """Keep the tensors with a prefix, and remove the prefix from their names."""

    def cut(part: dict[str, _Value]) -> dict[str, _Value]:
        return {name[len(start) :]: part[name] for name in part if name.startswith(start)}

    return Candidate(candidate.key_path, cut(candidate.weights), cut(candidate.unreadable))


def _without_numbers(candidate: Candidate, expected: Mapping[str, tuple[int, ...]]) -> Candidate:
    """Drop single numbers that are not weights, such as the best score."""
    weights = {
        name: value
        for name, value in candidate.weights.items()
        if name in expected or is_weight_name(name) or value.size > 1
    }
    return Candidate(candidate.key_path, weights, candidate.unreadable)


def _at(candidates: Sequence[Candidate], wanted: str, path: str | Path) -> Candidate:
    """Find the candidate at a key path; the path may end with a prefix of names."""
    wanted = wanted.strip("/").rstrip(".")
    for candidate in candidates:
        if candidate.key_path == wanted:
            return candidate
    for candidate in candidates:
        above = f"{candidate.key_path}/" if candidate.key_path else ""
        if not wanted.startswith(above):
            continue
        # The key paths in messages are without wrappers.
        for names in (candidate, _without_wrappers(candidate)[0]):
            part = _below(names, f"{wanted[len(above) :]}.")
            if part.weights or part.unreadable:
                return Candidate(wanted, part.weights, part.unreadable)
    key_paths = sorted({candidate.key_path or _TOP_LEVEL for candidate in candidates})
    raise ValueError(
        f"{path} has no weights at {wanted!r}; it has weights at: {', '.join(key_paths[:10])}."
    )


def _is_same(one: _Variant, other: _Variant) -> bool:
    if one.unreadable or other.unreadable or one.needed.keys() != other.needed.keys():
        return False
    return all(np.array_equal(value, other.needed[name]) for name, value in one.needed.items())


def _ambiguity_message(variants: Sequence[_Variant], path: str | Path) -> str:
    key_paths = [variant.key_path for variant in variants if variant.key_path]
    has_top_level = len(key_paths) < len(variants)
    named = [*([_TOP_LEVEL] if has_top_level else []), *map(repr, dict.fromkeys(key_paths))]
    example = key_paths[-1] if key_paths else ""
    return (
        f"{path} has several sets of weights that differ: {', '.join(named[:10])}. Select one by "
        f"adding its key to the path, for example {path}{SEPARATOR}{example}"
    )


def _check_readable(chosen: _Variant, path: str | Path) -> None:
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
            f"{f' ({more} more cannot be read either)' if more else ''}. Save plain tensors, not "
            "quantized or sparse ones: torch.save(model.state_dict(), ...)."
        )
