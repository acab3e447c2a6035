"""Registries: tables from names in a configuration to classes and functions."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any


class Registry:
    """Classes or functions by name.

    Entries are added with the decorator ``@BACKBONE_REGISTRY.register()`` or with the call
    ``BACKBONE_REGISTRY.register(obj)``. Users register their own in files that the configuration
    key MODULES lists.

    Args:
        name: kind of the entries, such as "BACKBONE", for error messages.

    Examples:
        >>> from fastreid.utils.registry import Registry
        >>> SHAPES = Registry("SHAPE")
        >>> @SHAPES.register()
        ... def circle():
        ...     return "round"
        >>> SHAPES.get("circle")()
        'round'
        >>> "square" in SHAPES
        False
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries: dict[str, Any] = {}

    def register(self, entry: Any = None, *, name: str | None = None) -> Any:
        """Add an entry.

        Args:
            entry: a class or function; None returns a decorator.
            name: name of the entry; None takes its ``__name__``.

        Returns:
            The entry itself, or the decorator.

        Raises:
            KeyError: the name is taken; the message has the location of both definitions.
            TypeError: the entry is not a class or function.
        """
        if entry is None:
            return functools.partial(self._add, name=name)
        return self._add(entry, name=name)

    def _add(self, entry: Callable, *, name: str | None) -> Callable:
        name = name or getattr(entry, "__name__", None)
        if not callable(entry) or name is None:
            raise TypeError(
                f"The {self._name} registry takes classes and functions, not {entry!r}."
            )
        if name in self._entries:
            existing = _location(self._entries[name])
            raise KeyError(
                f"The {self._name} registry has a {name!r} already, from {existing}; "
                f"{_location(entry)} registers another one. Give it another name."
            )
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> Any:
        """Look up an entry.

        Args:
            name: name of the entry.

        Returns:
            The entry.

        Raises:
            KeyError: the name is unknown; the message lists similar and all known names.
        """
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=3)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise KeyError(
                f"{self._name} registry has no {name!r}.{hint} It has {sorted(self._entries)}. "
                "To add one of your own, name its file in MODULES, such as MODULES my_code.py."
            )
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._entries.items())

    def __repr__(self) -> str:
        return f"Registry({self._name!r}, {sorted(self._entries)})"


def _location(entry: Any) -> str:
    """Return module, file and line of a class or function."""
    module = getattr(entry, "__module__", "?")
    try:
        original = inspect.unwrap(entry)
        file, (_, line) = inspect.getsourcefile(original), inspect.getsourcelines(original)
    except (OSError, TypeError):
        # There is no source file, for example for code typed at a prompt.
        return str(module)
    return f"{module} ({file}, line {line})"
