"""Distinguish user errors, which are explained in one line, from bugs in the program."""

from __future__ import annotations

import dis
import errno
import re
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

# The classes that our checks raise for a wrong setting, file or command-line argument.
_CHECKED = (ValueError, KeyError, TypeError, ImportError)
# MindSpore turns an error raised in Python code into a text that contains its traceback...
_WRAPPED = re.compile(
    r"^[ ]+raise [^\n]*\n(?:[ ]+[^\n]*\n)*"
    r"(?:\w+\.)*(?:ValueError|KeyError|TypeError|ImageError): (?P<message>.+?)(?:\n\n|\n-----|\Z)",
    re.MULTILINE | re.DOTALL,
)
# ... and an error raised in a compiled function into a text with the location in that function.
_COMPILED = re.compile(r"\A(?P<message>.+?)\n\n-----.*\bRaiseConstant\b", re.DOTALL)


class ExplainedError(Exception):
    """Base of errors whose message is sufficient for a user: commands print it alone."""


# The classes for which `explain` can return a line.
EXPLAINABLE = (*_CHECKED, ExplainedError, OSError, MemoryError, RuntimeError)


def explain(error: BaseException) -> str | None:
    """Describe a user error in one line.

    User errors are `ExplainedError`, file and memory errors, and ValueError, KeyError, TypeError
    and ImportError raised by a `raise` statement in this package or in a user's code. The same
    classes raised by Python itself or by a library, as `{}["x"]` raises KeyError, are bugs.

    Args:
        error: the caught error, with its traceback.

    Returns:
        The line, or None for a bug, which needs its traceback.
    """
    if isinstance(error, MemoryError):
        detail = f": {error}" if str(error) else ""
        return _one_line(f"There is not enough memory{detail}. Use smaller batches or images.")
    if isinstance(error, OSError):
        return _one_line(_explain_os_error(error))
    if isinstance(error, ExplainedError) or (isinstance(error, _CHECKED) and _is_deliberate(error)):
        return _one_line(message_of(error))
    return _explain_wrapped(error)


def message_of(error: BaseException) -> str:
    """Return the message of an error, without the quotes that KeyError adds.

    Args:
        error: any error.

    Returns:
        The message, or the name of the class if the message is empty.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text or type(error).__name__


def location_of(error: BaseException, folder: Path, *, excluding: str = "") -> str:
    """Find the last line of a user's own code in the traceback of an error.

    Args:
        error: the caught error, with its traceback.
        folder: folder of the user's code. If no line of the traceback is in it, the last line of
            the traceback is returned.
        excluding: a file whose lines are ignored.

    Returns:
        File and line, as a text.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename != excluding
    ]
    own = [frame for frame in frames if folder in Path(frame.filename).parents]
    if not frames:
        return "at an unknown line"
    last = (own or frames)[-1]
    return f"{last.filename}, line {last.lineno}"


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _explain_os_error(error: OSError) -> str:
    if error.strerror is None:
        return message_of(error)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    place = f"{' -> '.join(names)}: " if names else ""
    hint = ". Make room, or write elsewhere." if error.errno == errno.ENOSPC else ""
    return f"{place}{error.strerror}{hint}"


def _is_deliberate(error: BaseException) -> bool:
    """Return whether the error was raised by a `raise` statement outside of libraries."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    operation = trace.tb_frame.f_code.co_code[trace.tb_lasti]
    return dis.opname[operation] == "RAISE_VARARGS" and _is_own(trace.tb_frame)


def _is_own(frame: FrameType) -> bool:
    """Return whether code belongs to this package, a tool or a user, not to a library."""
    if str(frame.f_globals.get("__name__", "")).split(".")[0] == "fastreid":
        return True
    file = Path(frame.f_code.co_filename)
    if {"site-packages", "dist-packages"} & set(file.parts):
        return False
    folders = (sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib"))
    return not any(file.is_relative_to(folder) for folder in folders)


def _explain_wrapped(error: BaseException) -> str | None:
    """Extract the message of a user error that MindSpore has wrapped into one of its own."""
    if not isinstance(error, (RuntimeError, *_CHECKED)):
        return None
    text = str(error)
    found = _WRAPPED.search(text) or _COMPILED.search(text)
    return _one_line(found["message"].strip().strip("'\"")) if found else None
