"""Standard output and standard error of a command that are missing, closed early or not UTF-8."""

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


def open_missing_streams() -> None:
    """Open /dev/null for each standard stream that is missing, as after ``>&-``.

    Otherwise the next file that is opened would get the descriptor of the missing stream, and the
    output of libraries that write to that descriptor would end up in the file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # os.open returns the lowest free descriptor, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = _open_null()
    if sys.stderr is None:
        sys.stderr = _open_null()


def _open_null() -> TextIO:
    return io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_WRONLY), "w"), encoding="utf-8")


def discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, including the content of its buffer.

    Args:
        stream: a stream that was closed by its reader. One without a file descriptor is unchanged.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def is_closed_by_reader(stream: TextIO | None) -> bool:
    """Return whether the reading end of a stream, such as a pipe, is closed.

    Args:
        stream: for example ``sys.stdout``, which is None in a process without standard output.
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
    """Flush a stream and return whether that worked: False if its reader has closed it.

    Args:
        stream: for example ``sys.stdout``; None counts as flushed.
    """
    try:
        if stream is not None:
            stream.flush()
    except BrokenPipeError:
        return False
    except ValueError:
        # This process closed the stream itself.
        return True
    return True


def replace_unprintable(stream: TextIO) -> None:
    r"""Make a stream write characters that its encoding lacks as escapes, ``\xfc`` for a "ü".

    Args:
        stream: a terminal or file that would raise UnicodeEncodeError; others are unchanged.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


class _LenientOutput(io.FileIO):
    """A descriptor that discards data which cannot be written: pipe closed, disk full."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


@contextlib.contextmanager
def tolerate_closed_outputs() -> Iterator[None]:
    """Discard output inside the block once standard output or error is closed by its reader."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_lenient, before)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        sys.stdout, sys.stderr = before


def _lenient(stream: TextIO) -> TextIO:
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
