"""Run the main function of a command-line tool: exit codes and one-line error messages."""

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
from ..processes import exit_now
from .interrupts import is_watching, raising_keyboard_interrupt
from .output import (
    discard,
    flushes,
    is_closed_by_reader,
    open_missing_streams,
    replace_unprintable,
    tolerate_closed_outputs,
)

# Set to 1 to print the traceback of errors that are otherwise reported in one line.
TRACEBACK_VARIABLE = "FASTREID_TRACEBACK"
FAILED = 1
# Exit codes that shells report for programs ended by SIGINT (Ctrl-C) and SIGPIPE (output closed).
INTERRUPTED = 130
OUTPUT_CLOSED = 141


def run_command(
    main: Callable[..., int | None],
    argv: Sequence[str] | None = None,
    *,
    name: str | None = None,
    stops_at_closed_output: bool = True,
) -> int:
    """Run the main function of a tool and return its exit code.

    A user error, which is one that `explain` can explain, is printed to standard error as one line,
    ``TOOL.py: message``. Its traceback goes to the open log files, and to standard error if
    FASTREID_TRACEBACK is set. A bug in the program is raised with its traceback.

    Args:
        main: the main function; takes the arguments of the command line, or None for those of this
            process, and returns an exit code, or None for 0.
        argv: the arguments that `main` gets.
        name: the tool's name in messages; None takes the file name of `main`.
        stops_at_closed_output: whether the tool ends silently when standard output is closed early,
            as by ``| head``. False is for tools whose results are files: they run to the end, and
            further output is discarded.

    Returns:
        The exit code: that of `main`, 1 after an error, 130 after Ctrl-C, 141 when standard output
        was closed early.

    Raises:
        SystemExit: raised by `main`, as argparse does for wrong options, with code 2.
        Exception: a bug in the program.
    """
    open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        replace_unprintable(stream)
    try:
        with contextlib.nullcontext() if stops_at_closed_output else tolerate_closed_outputs():
            code = _code_of(main, argv, name or Path(inspect.getfile(main)).name)
    finally:
        _discard_closed_outputs()
    # MindSpore's exit handlers wait for the other processes of a job. After a failure or Ctrl-C
    # the process ends without them.
    if (code and os.environ.get("MS_ROLE") == "MS_WORKER") or (
        code == INTERRUPTED and is_watching()
    ):
        exit_now(code)
    return code


def user_path(word: str) -> Path:
    """Convert a command-line argument to a path; for ``type=`` of argparse.

    Args:
        word: the argument. A leading "~" is expanded, which shells do not do in ``--output=~/x``.

    Raises:
        argparse.ArgumentTypeError: the argument is empty, or names the home folder of an unknown
            user.
    """
    if not word:
        raise argparse.ArgumentTypeError("the path is empty")
    try:
        return Path(word).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{word!r}: there is no such home folder") from error


def split_pairs(words: Sequence[str], is_key: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Separate the pairs KEY VALUE from the other arguments of a command line.

    argparse alone would read a value that begins with a dash as an option.

    Args:
        words: the arguments of the command line.
        is_key: decides whether an argument is a key, which makes the next one its value.

    Returns:
        The other arguments, and the list key, value, key, value, ...

    Examples:
        >>> from fastreid.config import is_setting
        >>> from fastreid.utils.command_line.command import split_pairs
        >>> split_pairs(["--eval-only", "SOLVER.GAMMA", "-1"], is_setting)
        (['--eval-only'], ['SOLVER.GAMMA', '-1'])
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
        with raising_keyboard_interrupt():
            code = main(argv) or 0
        return code if flushes(sys.stdout) else OUTPUT_CLOSED
    except KeyboardInterrupt as interrupt:
        _print_traceback_if_enabled(interrupt)
        if is_watching():
            _print_to_stderr(f"{name}: interrupted")
        return INTERRUPTED
    except EXPLAINABLE as error:
        if isinstance(error, BrokenPipeError) and is_closed_by_reader(sys.stdout):
            return OUTPUT_CLOSED
        return _report(error, name)


def _report(error: Exception, name: str) -> int:
    message = explain(error)
    if message is None:
        log_to_files(logging.CRITICAL, "The program failed", error)
        raise error
    log_to_files(logging.ERROR, message, error)
    _print_traceback_if_enabled(error)
    _print_to_stderr(f"{name}: {message}")
    return FAILED


def _print_to_stderr(line: str) -> None:
    """Print a line to standard error; a closed or full standard error is ignored."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - output of a tool


def _print_traceback_if_enabled(error: BaseException) -> None:
    if os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0"):
        traceback.print_exception(type(error), error, error.__traceback__)


def _discard_closed_outputs() -> None:
    """Prevent Python's message at exit about output that could not be flushed."""
    for stream in (sys.stdout, sys.stderr):
        if not flushes(stream):
            discard(stream)
