"""Logging: `setup_logger` sends logs to the screen and to OUTPUT_DIR/log.txt.

`log_first_n`, `log_every_n` and `log_every_n_seconds` limit how often a line of code logs.
"""

from __future__ import annotations

import inspect
import logging
import sys
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from termcolor import colored

from .command_line.output import discard

_DATE_FORMAT = "%m/%d %H:%M:%S"
_LEVEL_STYLES: dict[int, tuple[str, dict[str, Any]]] = {
    logging.WARNING: ("WARNING", {"color": "red", "attrs": ["blink"]}),
    logging.ERROR: ("ERROR", {"color": "red", "attrs": ["blink", "underline"]}),
    logging.CRITICAL: ("CRITICAL", {"color": "red", "attrs": ["blink", "underline"]}),
}

# Calls of the functions that log now and then, and when `log_every_n_seconds` logged last.
_counts: Counter[Hashable] = Counter()
_last_logged: dict[Hashable, float] = {}


class _ColorfulFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        message = super().formatMessage(record)
        if record.levelno not in _LEVEL_STYLES:
            return message
        word, style = _LEVEL_STYLES[record.levelno]
        return f"{colored(word, force_color=True, **style)} {message}"


class _ScreenHandler(logging.StreamHandler):
    """Prints to a stream; when the reader has closed it, the log files get a line about it."""

    def format(self, record: logging.LogRecord) -> str:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return super().format(record).encode(encoding, "backslashreplace").decode(encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        # Other output to this stream must not end the run either.
        discard(self.stream)
        message = f"The screen output ends here: {error.strerror}"
        log_to_files(logging.WARNING, message, name=record.name.partition(".")[0])


class _LogFile(logging.FileHandler):
    """Appends to a file; the first failure, such as a full disk, is reported on standard error."""

    _has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._has_failed:
            self._has_failed = True
            message = f"{self.baseFilename} lacks lines from here on: {error.strerror}"
            sys.stderr.write(f"{message}\n")


def setup_logger(
    output_dir: str | Path | None = None, distributed_rank: int = 0, *, name: str = "fastreid"
) -> logging.Logger:
    """Send logs of the package to standard output and to a file; a second call changes nothing.

    If the reader of standard output closes it, as ``| head`` does, logging to the file goes on.

    Args:
        output_dir: folder of ``log.txt``, or a path that ends in ``.txt`` or ``.log``; None: no
            file. Ranks other than 0 add ``.rank<n>`` to it.
        distributed_rank: rank of this process; only rank 0 writes to the screen.
        name: name of the logger to set up; loggers below it are included.

    Returns:
        The logger.
    """
    root = logging.getLogger(name)
    root.setLevel(logging.DEBUG)
    root.propagate = False
    lacks_screen = not any(_is_screen(handler) for handler in root.handlers)
    if distributed_rank == 0 and lacks_screen and sys.stdout is not None:
        root.addHandler(_screen_handler())
    if output_dir is not None:
        path = _log_path(Path(output_dir), distributed_rank)
        if not any(_writes_to(handler, path) for handler in root.handlers):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Lines with file names that are not UTF-8 are written with escapes.
            handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
            handler.setFormatter(_plain_formatter())
            root.addHandler(handler)
    return root


def log_to_screen(level: int = logging.INFO) -> None:
    """Send the logs of a tool that writes no log file to standard error.

    The modules that MODULES imports are logged at every level.

    Args:
        level: the lowest level that is shown.
    """
    logging.basicConfig(format="%(message)s", level=level)
    logging.getLogger("fastreid.config.modules").setLevel(logging.INFO)


def log_to_files(
    level: int, message: str, error: BaseException | None = None, *, name: str = "fastreid"
) -> None:
    """Write a line to the log files of a logger, not to the screen.

    Args:
        level: a level of `logging`, such as ``logging.ERROR``.
        message: the line.
        error: an error whose traceback follows the line; None: no traceback.
        name: name of the logger, as given to `setup_logger`.
    """
    trace = None if error is None else (type(error), error, error.__traceback__)
    root = logging.getLogger(name)
    record = root.makeRecord(name, level, __file__, 0, "%s", (message,), trace)
    for handler in root.handlers:
        if isinstance(handler, _LogFile):
            handler.handle(record)


def log_first_n(
    lvl: int, msg: str, n: int = 1, *, name: str | None = None, key: str | Sequence[str] = "caller"
) -> None:
    """Log only the first n times.

    Args:
        lvl: a level of `logging`, such as ``logging.WARNING``.
        msg: the line.
        n: maximum number of logs.
        name: name of the logger; None: the module of the caller.
        key: which calls are counted together: "caller", those from one line of code; "message",
            those with one text; both: those from one line of code with one text.

    Raises:
        ValueError: the key is none of these.
    """
    keys = (key,) if isinstance(key, str) else tuple(key)
    if not keys or not set(keys) <= {"caller", "message"}:
        raise ValueError(f'key is {key!r}; it must be "caller", "message" or both.')
    module, caller = _caller()
    counted = ("first", caller if "caller" in keys else None, msg if "message" in keys else None)
    _counts[counted] += 1
    if _counts[counted] <= n:
        logging.getLogger(name or module).log(lvl, msg)


def log_every_n(lvl: int, msg: str, n: int = 1, *, name: str | None = None) -> None:
    """Log the first of every n calls from one line of code.

    Args:
        lvl: a level of `logging`, such as ``logging.WARNING``.
        msg: the line.
        n: calls from one log to the next.
        name: name of the logger; None: the module of the caller.
    """
    module, caller = _caller()
    counted = ("every", caller)
    if _counts[counted] % n == 0:
        logging.getLogger(name or module).log(lvl, msg)
    _counts[counted] += 1


def log_every_n_seconds(lvl: int, msg: str, n: float = 1, *, name: str | None = None) -> None:
    """Log a call from one line of code if the last log from there is n seconds old or older.

    Args:
        lvl: a level of `logging`, such as ``logging.WARNING``.
        msg: the line.
        n: seconds from one log to the next.
        name: name of the logger; None: the module of the caller.
    """
    module, caller = _caller()
    now = time.monotonic()
    if caller not in _last_logged or now - _last_logged[caller] >= n:
        _last_logged[caller] = now
        logging.getLogger(name or module).log(lvl, msg)


def _caller() -> tuple[str, tuple[str, int]]:
    """Find the module, and the file and line, from which a function of this module was called."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame.f_back if frame else None
    if frame is None:
        return __name__, ("", 0)
    module = frame.f_globals["__name__"]
    # `setup_logger` shows what is logged below "fastreid".
    name = "fastreid" if module == "__main__" else module
    return name, (frame.f_code.co_filename, frame.f_lineno)


def _plain_formatter() -> logging.Formatter:
    return logging.Formatter(
        "[%(asctime)s] %(name)s %(levelname)s: %(message)s", datefmt=_DATE_FORMAT
    )


def _screen_handler() -> logging.Handler:
    handler = _ScreenHandler(sys.stdout)
    if sys.stdout.isatty():
        prefix = colored("[%(asctime)s %(name)s]:", "green", force_color=True)
        handler.setFormatter(_ColorfulFormatter(f"{prefix} %(message)s", datefmt=_DATE_FORMAT))
    else:
        handler.setFormatter(_plain_formatter())
    return handler


def _is_screen(handler: logging.Handler) -> bool:
    return isinstance(handler, _ScreenHandler)


def _writes_to(handler: logging.Handler, path: Path) -> bool:
    return isinstance(handler, _LogFile) and Path(handler.baseFilename) == path.resolve()


def _log_path(output: Path, rank: int) -> Path:
    path = output if output.suffix in (".txt", ".log") else output / "log.txt"
    return path if rank == 0 else path.with_name(f"{path.name}.rank{rank}")
