"""Logs on the screen and in OUTPUT_DIR/log.txt."""

from __future__ import annotations

import logging
import sys
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


class _ColorfulFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        message = super().formatMessage(record)
        if record.levelno not in _LEVEL_STYLES:
            return message
        word, style = _LEVEL_STYLES[record.levelno]
        return f"{colored(word, force_color=True, **style)} {message}"


class _ScreenHandler(logging.StreamHandler):
    """Prints; where nobody can read any more, it says so in the log files and stops."""

    def format(self, record: logging.LogRecord) -> str:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return super().format(record).encode(encoding, "backslashreplace").decode(encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        # What else is printed to this stream must not end the run either.
        discard(self.stream)
        message = f"The screen output ends here: {error.strerror}"
        log_to_files(logging.WARNING, message, name=record.name.partition(".")[0])


class _LogFile(logging.FileHandler):
    """Appends to a file; where that fails, as on a full disk, it says so once and goes on."""

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
    """Send logs of the package to standard output, and into a file; calling again adds nothing.

    When standard output is closed by its reader, as ``| head`` does, the file goes on.

    Args:
        output_dir: folder of ``log.txt``, or a path that ends in ``.txt`` or ``.log``; None: no
            file. Ranks other than 0 add ``.rank<n>`` to it.
        distributed_rank: rank of this process; only rank 0 writes to the screen.
        name: logger to set up, with all below it.

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
            # A file name that is not UTF-8 must not cost the line.
            handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
            handler.setFormatter(_plain_formatter())
            root.addHandler(handler)
    return root


def log_to_screen(level: int = logging.INFO) -> None:
    """Send the logs of a tool that writes no log file to standard error.

    What MODULES imported is said whatever the level.

    Args:
        level: the lowest that is shown.
    """
    logging.basicConfig(format="%(message)s", level=level)
    logging.getLogger("fastreid.config.modules").setLevel(logging.INFO)


def log_to_files(
    level: int, message: str, error: BaseException | None = None, *, name: str = "fastreid"
) -> None:
    """Write to the log files of a logger, and not to its screen.

    Args:
        level: of `logging`, such as ``logging.ERROR``.
        message: the line.
        error: whose traceback follows it.
        name: of the logger, as given to `setup_logger`.
    """
    trace = None if error is None else (type(error), error, error.__traceback__)
    root = logging.getLogger(name)
    record = root.makeRecord(name, level, __file__, 0, "%s", (message,), trace)
    for handler in root.handlers:
        if isinstance(handler, _LogFile):
            handler.handle(record)


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
