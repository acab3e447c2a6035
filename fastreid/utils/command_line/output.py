"""Standard output and standard error of a command, where anything may read or close them."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def provide_outputs() -> None:
    """Give a process that was started without standard output or error (``>&-``) an empty one.

    Libraries write to them without a look, and the next file that is opened would get the number
    of what is missing: what others print to that number would go into the file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # It gets the lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()


def _nowhere() -> TextIO:
    return io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_WRONLY), "w"), encoding="utf-8")


def discard(stream: TextIO) -> None:
    """Send to /dev/null what is written to a stream from now on, and what its buffer holds.

    Args:
        stream: whose reader has gone. One without a file descriptor stays as it is.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def has_lost_reader(stream: TextIO | None) -> bool:
    """Tell whether the reader of a stream has gone, so that nothing can be written to it.

    Args:
        stream: such as ``sys.stdout``; None, as Python sets it where there is no output at all.
    """
    if stream is None:
        return False
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def flushes(stream: TextIO | None) -> bool:
    """Write what a stream holds back, and tell whether its reader took it.

    Args:
        stream: such as ``sys.stdout``; None: nothing is held back.
    """
    try:
        if stream is not None:
            stream.flush()
    except BrokenPipeError:
        return False
    except ValueError:
        # It was closed on purpose.
        return True
    return True


def replace_unprintable(stream: TextIO) -> None:
    r"""Let a stream write characters that its encoding lacks as escapes, ``\xfc`` for a "ü".

    Args:
        stream: a terminal or file that would raise UnicodeEncodeError; others stay as they are.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


class _LenientOutput(io.FileIO):
    """A descriptor that drops what nobody can take: no reader, no terminal, a full disk."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


@contextlib.contextmanager
def without_reader() -> Iterator[None]:
    """While the block runs, standard output and error may be closed by their reader unnoticed."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_unbreakable, before)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        sys.stdout, sys.stderr = before


def _unbreakable(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_LenientOutput(descriptor, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
