"""How a command line tool ends: its exit code, and what it prints about an error."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import itertools
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from ..logger import log_to_files
from ..messages.errors import EXPLAINABLE, explain
from ..processes import leave
from .interrupts import is_watching, unwinding
from .output import (
    discard,
    flushes,
    has_lost_reader,
    provide_outputs,
    replace_unprintable,
    without_reader,
)

# Set to 1 to see where an error came from that ends a tool in one line.
TRACEBACK_VARIABLE = "FASTREID_TRACEBACK"
FAILED = 1
# What shells report of programs that SIGINT (Ctrl-C) and SIGPIPE (a reader that has gone) ended.
INTERRUPTED = 130
OUTPUT_CLOSED = 141


def run_command(
    main: Callable[..., int | None],
    argv: Sequence[str] | None = None,
    *,
    name: str | None = None,
    needs_reader: bool = True,
) -> int:
    """Run the main function of a tool and turn the way it ends into an exit code.

    An error that `explain` can explain ends in one line, ``TOOL.py: message``, on standard error;
    its traceback goes to the log files that are open, and to standard error where
    FASTREID_TRACEBACK is set. A fault of the program keeps its traceback.

    Args:
        main: takes the words of the command line (None: those of this process); gives the exit
            code, None for 0.
        argv: these words.
        name: of the tool in messages; None: the file name of `main`.
        needs_reader: end quietly when standard output is closed early, as ``| head`` does. False,
            for work whose results are files: go on to the end, and drop what nobody reads.

    Returns:
        The exit code: that of `main`, 1 after an error, 130 after Ctrl-C, 141 when standard output
        was closed early.

    Raises:
        SystemExit: as `main` raised it; argparse does, with 2.
        Exception: a fault of the program.
    """
    provide_outputs()
    for stream in (sys.stdout, sys.stderr):
        replace_unprintable(stream)
    try:
        with contextlib.nullcontext() if needs_reader else without_reader():
            code = _code_of(main, argv, name or Path(inspect.getfile(main)).name)
    finally:
        _let_go_of_closed_outputs()
    # A process of a job that failed must not wait for the others, nor Ctrl-C for MindSpore's end.
    if (code and os.environ.get("MS_ROLE") == "MS_WORKER") or (
        code == INTERRUPTED and is_watching()
    ):
        leave(code)
    return code


def user_path(word: str) -> Path:
    """Read a path of the command line; a type for argparse.

    Args:
        word: of the command line; "~" is expanded, which shells do not do in ``--output=~/x``.

    Raises:
        argparse.ArgumentTypeError: it is empty, or nobody has that home.
    """
    if not word:
        raise argparse.ArgumentTypeError("a path is needed, but it is empty")
    try:
        return Path(word).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{word!r}: nobody has that home") from error


def split_pairs(words: Sequence[str], is_key: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Take the pairs KEY VALUE out of a command line, whatever the values look like.

    argparse would take a value that begins with a dash for an option.

    Args:
        words: of the command line.
        is_key: tells whether a word is a key, so that the next one is its value.

    Returns:
        The other words, and keys and values in turn.
    """
    others: list[str] = []
    pairs: list[str] = []
    rest = iter(words)
    for word in rest:
        if is_key(word):
            pairs += [word, *itertools.islice(rest, 1)]
        else:
            others.append(word)
    return others, pairs


def _code_of(main: Callable[..., int | None], argv: Sequence[str] | None, name: str) -> int:
    try:
        with unwinding():
            code = main(argv) or 0
        return code if flushes(sys.stdout) else OUTPUT_CLOSED
    except KeyboardInterrupt as interrupt:
        _show_if_asked(interrupt)
        if is_watching():
            _say(f"{name}: interrupted")
        return INTERRUPTED
    except EXPLAINABLE as error:
        if isinstance(error, BrokenPipeError) and has_lost_reader(sys.stdout):
            return OUTPUT_CLOSED
        return _report(error, name)


def _report(error: Exception, name: str) -> int:
    message = explain(error)
    if message is None:
        log_to_files(logging.CRITICAL, "The program failed", error)
        raise error
    log_to_files(logging.ERROR, message, error)
    _show_if_asked(error)
    _say(f"{name}: {message}")
    return FAILED


def _say(line: str) -> None:
    """Print a line on standard error, if it can be taken."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - of a tool


def _show_if_asked(error: BaseException) -> None:
    if os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0"):
        traceback.print_exception(type(error), error, error.__traceback__)


def _let_go_of_closed_outputs() -> None:
    """Keep Python from complaining, when it ends, about output that nobody can read."""
    for stream in (sys.stdout, sys.stderr):
        if not flushes(stream):
            discard(stream)
