"""Tell errors that a user can mend from faults of the program."""

from __future__ import annotations

import dis
import errno
import re
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

# What checks raise for a wrong setting, file or word of the command line.
_CHECKED = (ValueError, KeyError, TypeError, ImportError)
# MindSpore passes an error of Python code on as a text that holds its traceback...
_WRAPPED = re.compile(
    r"^[ ]+raise [^\n]*\n(?:[ ]+[^\n]*\n)*"
    r"(?:\w+\.)*(?:ValueError|KeyError|TypeError|ImageError): (?P<message>.+?)(?:\n\n|\n-----|\Z)",
    re.MULTILINE | re.DOTALL,
)
# ... and one of a compiled function with the place in that function.
_COMPILED = re.compile(r"\A(?P<message>.+?)\n\n-----.*\bRaiseConstant\b", re.DOTALL)


class ExplainedError(Exception):
    """Base of errors whose message tells a user everything: commands print only the message."""


# Every class that `explain` can have a line for.
EXPLAINABLE = (*_CHECKED, ExplainedError, OSError, MemoryError, RuntimeError)


def explain(error: BaseException) -> str | None:
    """Say in one line what a user did wrong, or has to do.

    A line is given for `ExplainedError`, for errors of files and of memory, and for ValueError,
    KeyError, TypeError and ImportError that a check raised by a `raise` statement. The same classes
    raised by Python itself or by a library, as `{}["x"]` raises KeyError, are faults of the
    program.

    Args:
        error: as it was caught, with its traceback.

    Returns:
        The line; None for a fault of the program, whose traceback is needed.
    """
    if isinstance(error, MemoryError):
        detail = f": {error}" if str(error) else ""
        return _one_line(f"There is not enough memory{detail}. Use smaller batches or images.")
    if isinstance(error, OSError):
        return _one_line(_of_file(error))
    if isinstance(error, ExplainedError) or (isinstance(error, _CHECKED) and _is_deliberate(error)):
        return _one_line(message_of(error))
    return _of_wrapped(error)


def message_of(error: BaseException) -> str:
    """Give the message of an error: without the quotes that KeyError adds, never empty.

    Args:
        error: any.

    Returns:
        The message, or the name of the class where there is none.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text or type(error).__name__


def place_of(error: BaseException, folder: Path, *, but: str = "") -> str:
    """Tell the last line of a user's own code on the way to an error.

    Args:
        error: as it was caught, with its traceback.
        folder: of that code; where no line of it is on the way, the last line of all is told.
        but: a file whose lines do not count.

    Returns:
        File and line.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename != but
    ]
    own = [frame for frame in frames if folder in Path(frame.filename).parents]
    if not frames:
        return "in no line that is known"
    last = (own or frames)[-1]
    return f"{last.filename}, line {last.lineno}"


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _of_file(error: OSError) -> str:
    if error.strerror is None:
        return message_of(error)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    place = f"{' -> '.join(names)}: " if names else ""
    hint = ". Make room, or write elsewhere." if error.errno == errno.ENOSPC else ""
    return f"{place}{error.strerror}{hint}"


def _is_deliberate(error: BaseException) -> bool:
    """Tell whether a `raise` statement outside of libraries raised the error."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    operation = trace.tb_frame.f_code.co_code[trace.tb_lasti]
    return dis.opname[operation] == "RAISE_VARARGS" and _is_own(trace.tb_frame)


def _is_own(frame: FrameType) -> bool:
    """Tell whether code is this package's, a tool's or a user's, wherever it is installed."""
    if str(frame.f_globals.get("__name__", "")).split(".")[0] == "fastreid":
        return True
    file = Path(frame.f_code.co_filename)
    if {"site-packages", "dist-packages"} & set(file.parts):
        return False
    folders = (sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib"))
    return not any(file.is_relative_to(folder) for folder in folders)


def _of_wrapped(error: BaseException) -> str | None:
    """Find the message of a check in an error that MindSpore made of it."""
    if not isinstance(error, (RuntimeError, *_CHECKED)):
        return None
    text = str(error)
    found = _WRAPPED.search(text) or _COMPILED.search(text)
    return _one_line(found["message"].strip().strip("'\"")) if found else None
