"""Errors in users' classes and functions: one line that names them and the place in their code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import explain, message_of, place_of

_PACKAGE = __name__.partition(".")[0]


@contextmanager
def telling_place(what: str, code: Callable) -> Iterator[None]:
    """While code of a user runs: let an error name what it is, and its file and line.

    Errors that explain themselves pass as they are, and so do those of this package's code.

    Args:
        what: the code is, such as "Data set Shop", for the message.
        code: the class or function.

    Raises:
        ValueError: with the original error as its cause.
    """
    try:
        yield
    except Exception as error:
        if _is_ours(code) or explain(error) is not None:
            raise
        raise ValueError(
            f"{what} fails with {type(error).__name__}: {message_of(error)} "
            f"({place_of(error, _folder_of(code))})"
        ) from error


def _is_ours(code: Callable) -> bool:
    return str(getattr(code, "__module__", "")).partition(".")[0] == _PACKAGE


def _folder_of(code: Callable) -> Path:
    try:
        return Path(inspect.getfile(code)).parent
    except (OSError, TypeError):
        # It was typed at a prompt, or is an object that can be called.
        return Path()
