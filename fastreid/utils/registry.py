"""A table from names in configs to the things that they build."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any


class Registry:
    """Register classes or functions under their own names and look them up.

    Used as a decorator, ``@BACKBONE_REGISTRY.register()``, or called, ``register(obj)``. Users
    register their own in modules that the configuration names by MODULES.

    Args:
        name: what the registry holds, for error messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries: dict[str, Any] = {}

    def register(self, entry: Any = None, *, name: str | None = None) -> Any:
        """Add an entry.

        Args:
            entry: a class or function; without one, a decorator is returned.
            name: to look it up by; None: its ``__name__``.

        Returns:
            The entry itself, or the decorator.

        Raises:
            KeyError: if the name is taken; the message says where both are defined.
            TypeError: if the entry is no class or function.
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
            raise KeyError(
                f"The {self._name} registry has a {name!r} already, from "
                f"{_place(self._entries[name])}; {_place(entry)} registers another one. Give it "
                "another name."
            )
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


def _place(entry: Any) -> str:
    """Module, file and line of a class or function."""
    module = getattr(entry, "__module__", "?")
    try:
        original = inspect.unwrap(entry)
        file, (_, line) = inspect.getsourcefile(original), inspect.getsourcelines(original)
    except (OSError, TypeError):
        # There is no source, as of what is typed at a prompt.
        return str(module)
    return f"{module} ({file}, line {line})"
