"""Configurations: yacs nodes read from YAML files with inheritance and strict checking."""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode as _YacsNode

from .modules import MODULES_KEY, locate_modules
from .rules import ELEMENT_WORDS, ELEMENTS, checked_value
from .yaml_file import TextFloat, TextInt, parse_yaml, plain, read_yaml

_BASE_KEY = "_BASE_"


class CfgNode(_YacsNode):
    """A tree of settings with attribute access.

    Adds to yacs: inheritance by ``_BASE_`` (a path relative to the file, read first), restriction
    to safe YAML, and errors that name the file, the key and similar known keys.
    """

    def merge_from_file(self, cfg_filename: str | Path) -> None:
        """Overwrite values by those of a YAML file.

        Args:
            cfg_filename: path of the file; its ``_BASE_``, if any, is read before it.

        Raises:
            FileNotFoundError: the file or a base is missing.
            ValueError: the YAML is malformed or unsafe, or the bases form a cycle.
            KeyError: a key is unknown.
            TypeError: a value has the wrong type.
        """
        for path, values in _read_with_bases(Path(cfg_filename), ()):
            _merge(self, values, (), f"{path}")

    def merge_from_list(self, cfg_list: Sequence[str]) -> None:
        """Overwrite values by those of the command line, ``KEY VALUE KEY VALUE ...``.

        Args:
            cfg_list: alternating dotted keys and values.

        Raises:
            ValueError: the number of words is odd.
            KeyError: a key is unknown.
            TypeError: a value has the wrong type.
        """
        _check_words(cfg_list)
        source = "the command line"
        for key, value in zip(cfg_list[0::2], cfg_list[1::2]):
            nested: Any = value
            if key == MODULES_KEY:
                nested = locate_modules(value, Path.cwd(), source)
            for part in reversed(key.split(".")):
                nested = {part: nested}
            _merge(self, nested, (), source)

    def merge_from_text(self, text: str, *, source: str) -> None:
        """Overwrite values by those of a YAML string.

        Args:
            text: keys and values; ``_BASE_`` is not supported.
            source: origin of the string, for messages.

        Raises:
            ValueError: the YAML is malformed or unsafe.
            KeyError: a key is unknown.
            TypeError: a value has the wrong type.
        """
        _merge(self, parse_yaml(text.encode(), source), (), source)


def _read_with_bases(path: Path, chain: tuple[Path, ...]) -> list[tuple[Path, dict]]:
    origin = f" (the {_BASE_KEY} of {chain[-1]})" if chain else ""
    try:
        resolved = path.expanduser().resolve()
        exists = resolved.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # Too long, a null character, a link to itself, the home folder of an unknown user.
        raise ValueError(f"Not a valid path of a file: {path!s:.200}{origin}.") from error
    if resolved in chain:
        cycle = " -> ".join(map(str, (*chain, resolved)))
        raise ValueError(f"The {_BASE_KEY} keys of these files form a cycle: {cycle}")
    if not exists:
        what = ": it is a folder" if resolved.is_dir() else ""
        raise FileNotFoundError(f"There is no configuration file {path}{origin}{what}.")
    values = read_yaml(resolved)
    if MODULES_KEY in values:
        values[MODULES_KEY] = locate_modules(values[MODULES_KEY], resolved.parent, f"{path}")
    base = values.pop(_BASE_KEY, None)
    before: list[tuple[Path, dict]] = []
    if base is not None:
        if not isinstance(base, str):
            raise ValueError(f"{path}: {_BASE_KEY} must be the path of a file, but is {base!r}.")
        named = Path(base) if base.startswith("~") else resolved.parent / base
        before = _read_with_bases(named, (*chain, resolved))
    return [*before, (path, values)]


def _check_words(words: Sequence[str]) -> None:
    """Check that keys and values alternate."""
    for key in words[0::2]:
        if str(key).startswith("-"):
            raise ValueError(
                f"{key} is among the KEY VALUE pairs, or the value before it is missing. Put "
                "options before the pairs."
            )
        name, sign, value = str(key).partition("=")
        if sign:
            raise ValueError(f"Write {name} {value} instead of {key}, without an equals sign.")
    if len(words) % 2:
        raise ValueError(
            f"Overrides must be KEY VALUE pairs, but there are {len(words)} words: "
            f"{' '.join(map(str, words))}"
        )


def _merge(node: CfgNode, values: Mapping, above: tuple[str, ...], source: str) -> None:
    for key, value in values.items():
        place = (*above, str(key))
        name = ".".join(place)
        if key not in node:
            raise KeyError(f"{source}: {name} is not a known key.{_nearest(node, str(key), above)}")
        old = node[key]
        if isinstance(old, CfgNode):
            if not isinstance(value, Mapping):
                raise TypeError(
                    f"{source}: {name} is a group of keys and cannot be set to {value!r}."
                )
            _merge(node[key], value, place, source)
        else:
            # Freezing guards attributes, not items.
            setattr(node, key, _coerce(old, value, name, source))


def _nearest(node: CfgNode, key: str, above: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, list(node), n=3, cutoff=0.5)
    if not near:
        return f" Known here: {', '.join(sorted(node))}."
    return f" Did you mean {' or '.join('.'.join((*above, word)) for word in near)}?"


def _coerce(old: Any, value: Any, name: str, source: str) -> Any:
    """Decode a string as a literal; check the type against the default, and the value."""
    if isinstance(old, str) and isinstance(value, (TextInt, TextFloat)):
        value = value.text
    if isinstance(value, str) and not isinstance(old, str):
        value = _literal(old, value, name, source)
    if isinstance(old, (list, tuple)) and isinstance(value, (list, tuple)):
        value = type(old)(_element(each, name, source) for each in value)
    elif isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    elif isinstance(old, str) and isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    value = plain(value)
    if type(old) is not type(value):
        raise TypeError(
            f"{source}: {name} must be {_kind(old)}, but is {value!r} ({type(value).__name__})."
            f"{_right_form(old, value, name)}"
        )
    return checked_value(name, value, source)


def _literal(old: Any, text: str, name: str, source: str) -> Any:
    try:
        with warnings.catch_warnings():
            # Python warns of invalid escapes in strings; the type is checked later.
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise TypeError(
            f"{source}: {name} must be {_kind(old)}, but is the string {text[:200]!r}."
            f"{_right_form(old, text, name)}"
        ) from error


def _element(value: Any, name: str, source: str) -> Any:
    """Check the type of a list's element where `ELEMENTS` has one."""
    kind = ELEMENTS.get(name)
    if kind is None:
        return plain(value)
    if kind is str and isinstance(value, (TextInt, TextFloat)):
        value = value.text
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (kind in (int, float) and isinstance(value, bool)):
        raise TypeError(
            f"{source}: {name} must be a list of {ELEMENT_WORDS[kind]}, but contains {value!r} "
            f"({type(plain(value)).__name__})."
        )
    return plain(value)


def _right_form(old: Any, value: Any, name: str) -> str:
    """Show how to write a list where a single value was given."""
    if not isinstance(old, (list, tuple)) or not isinstance(value, (str, int, float)):
        return ""
    words = [word for word in re.split(r"[][(){},\s'\"]+", str(value)[:200]) if word]
    shown = repr(words) if ELEMENTS.get(name, str) is str else f"[{', '.join(words)}]"
    return f' Write it as "{shown}".'


def _kind(value: Any) -> str:
    names = {
        bool: "True or False",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "a list",
        tuple: "a list",
    }
    return f"{names[type(value)]} (default {value!r})"
