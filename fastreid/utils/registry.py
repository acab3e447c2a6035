"""A table from names in configs to the things that they build."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any


class Registry:
    """Register classes or functions under their own names and look them up.

    Used as a decorator, ``@BACKBONE_REGISTRY.register()``, or called, ``register(obj)``.

    Args:
        name: what the registry holds, for error messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries: dict[str, Any] = {}

    def register(self, entry: Any = None) -> Any:
        """Add an entry under its ``__name__``.

        Args:
            entry: a class or function; without one, a decorator is returned.

        Returns:
            The entry itself, or the decorator.

        Raises:
            KeyError: if the name is taken.
        """
        if entry is None:
            return self._add
        return self._add(entry)

    def _add(self, entry: Callable) -> Callable:
        name = entry.__name__
        if name in self._entries:
            raise KeyError(f"{self._name} registry has a {name!r} already.")
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> Any:
        """Look up an entry.

        Args:
            name: as registered.

        Returns:
            The entry.

        Raises:
            KeyError: for an unknown name; the message lists near and known ones.
        """
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=3)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise KeyError(
                f"{self._name} registry has no {name!r}.{hint} It has {sorted(self._entries)}."
            )
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._entries.items())

    def __repr__(self) -> str:
        return f"Registry({self._name!r}, {sorted(self._entries)})"
