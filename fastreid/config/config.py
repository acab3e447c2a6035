"""Configurations: yacs nodes read from YAML files with inheritance and strict checking."""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode as _YacsNode

from .yaml_file import read_yaml

_BASE_KEY = "_BASE_"


class CfgNode(_YacsNode):
    """A tree of settings with attribute access.

    Adds to yacs: ``_BASE_`` (a path relative to the file, read first), safe YAML only, and errors
    that name the file, the key and the nearest known one.
    """

    def merge_from_file(self, cfg_filename: str | Path) -> None:
        """Read a YAML file over the present values.

        Args:
            cfg_filename: the file; its ``_BASE_``, if any, is read before it.

        Raises:
            FileNotFoundError: if the file or a base is missing.
            ValueError: for broken or unsafe YAML, or a cycle of bases.
            KeyError: for an unknown key.
            TypeError: for a value of the wrong type.
        """
        for path, values in _read_with_bases(Path(cfg_filename), ()):
            _merge(self, values, (), f"{path}")

    def merge_from_list(self, cfg_list: Sequence[str]) -> None:
        """Set values from the command line, ``KEY VALUE KEY VALUE ...``.

        Args:
            cfg_list: dotted keys and values in turn.

        Raises:
            ValueError: for an odd number of words.
            KeyError: for an unknown key.
            TypeError: for a value of the wrong type.
        """
        if len(cfg_list) % 2:
            raise ValueError(
                f"Overrides must be pairs KEY VALUE, but there are {len(cfg_list)} words: "
                f"{' '.join(map(str, cfg_list))}"
            )
        for key, value in zip(cfg_list[0::2], cfg_list[1::2]):
            nested: Any = value
            for part in reversed(key.split(".")):
                nested = {part: nested}
            _merge(self, nested, (), "the command line")


def get_cfg() -> CfgNode:
    """Give a fresh copy of the defaults, to be changed and frozen."""
    from .defaults import defaults

    return defaults()


def _read_with_bases(path: Path, chain: tuple[Path, ...]) -> list[tuple[Path, dict]]:
    origin = f" (the {_BASE_KEY} of {chain[-1]})" if chain else ""
    try:
        resolved = path.expanduser().resolve()
        exists = resolved.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # Too long, a null character, a link to itself, a home that nobody has.
        raise ValueError(f"There can be no configuration file {path!s:.200}{origin}.") from error
    if resolved in chain:
        cycle = " -> ".join(map(str, (*chain, resolved)))
        raise ValueError(f"{_BASE_KEY} leads back to itself: {cycle}")
    if not exists:
        raise FileNotFoundError(f"There is no configuration file {path}{origin}.")
    values = read_yaml(resolved)
    base = values.pop(_BASE_KEY, None)
    before: list[tuple[Path, dict]] = []
    if base is not None:
        if not isinstance(base, str):
            raise ValueError(f"{path}: {_BASE_KEY} must be the name of a file, but is {base!r}.")
        named = Path(base) if base.startswith("~") else resolved.parent / base
        before = _read_with_bases(named, (*chain, resolved))
    return [*before, (path, values)]


def _merge(node: CfgNode, values: Mapping, above: tuple[str, ...], source: str) -> None:
    for key, value in values.items():
        place = (*above, str(key))
        name = ".".join(place)
        if key not in node:
            raise KeyError(f"{source}: {name} is not a known key.{_nearest(node, str(key), above)}")
        old = node[key]
        if isinstance(old, CfgNode):
            if not isinstance(value, Mapping):
                raise TypeError(f"{source}: {name} is a group of keys, but was given {value!r}.")
            _merge(node[key], value, place, source)
        else:
            # By attribute, because that is what freezing guards.
            setattr(node, key, _coerce(old, value, name, source))


def _nearest(node: CfgNode, key: str, above: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, list(node), n=3, cutoff=0.5)
    if not near:
        return f" Known here: {', '.join(sorted(node))}."
    return f" Did you mean {' or '.join('.'.join((*above, word)) for word in near)}?"


def _coerce(old: Any, value: Any, name: str, source: str) -> Any:
    """Decode a string as a literal, and check that the type is the default's."""
    if isinstance(value, str) and not isinstance(old, str):
        try:
            with warnings.catch_warnings():
                # Python warns of odd escapes in texts; the type is judged below.
                warnings.simplefilter("ignore")
                value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            raise TypeError(
                f"{source}: {name} must be {_kind(old)}, but is the text {value[:200]!r}."
            ) from error
    if isinstance(old, (list, tuple)) and isinstance(value, (list, tuple)):
        return type(old)(value)
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(old, str) and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if type(old) is not type(value):
        raise TypeError(
            f"{source}: {name} must be {_kind(old)}, but is {value!r} ({type(value).__name__})."
        )
    return value


def _kind(value: Any) -> str:
    names = {
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        str: "a text",
        list: "a list",
        tuple: "a list",
    }
    return f"{names[type(value)]} (default {value!r})"
