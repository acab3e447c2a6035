"""Errors in users' classes and functions, reported in one line with file and line number."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import explain, location_of, message_of

_PACKAGE = __name__.partition(".")[0]


@contextmanager
def locating_errors(what: str, code: Callable) -> Iterator[None]:
    """Convert an error in a user's code into a ValueError with its file and line.

    User errors, see `explain`, and errors in this package's own classes are raised unchanged.

    Args:
        what: description of the code, such as "Data set Shop", for the message.
        code: the user's class or function, which the block calls.

    Raises:
        ValueError: the code failed; the original error is the cause.
    """
    try:
        yield
    except Exception as error:
        if _is_ours(code) or explain(error) is not None:
            raise
        raise ValueError(
            f"{what} fails with {type(error).__name__}: {message_of(error)} "
            f"({location_of(error, _folder_of(code))})"
        ) from error


def _is_ours(code: Callable) -> bool:
    return str(getattr(code, "__module__", "")).partition(".")[0] == _PACKAGE


def _folder_of(code: Callable) -> Path:
    try:
        return Path(inspect.getfile(code)).parent
    except (OSError, TypeError):
        # The code was typed at a prompt, or is a callable object.
        return Path()
