"""Logs on the screen and in OUTPUT_DIR/log.txt."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from termcolor import colored

_DATE_FORMAT = "%m/%d %H:%M:%S"
_LEVEL_STYLES = {
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


def setup_logger(
    output_dir: str | Path | None = None, distributed_rank: int = 0, *, name: str = "fastreid"
) -> logging.Logger:
    """Send logs of the package to standard output, and into a file; calling again adds nothing.

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
    if distributed_rank == 0 and not any(_is_screen(handler) for handler in root.handlers):
        root.addHandler(_screen_handler())
    if output_dir is not None:
        path = _log_path(Path(output_dir), distributed_rank)
        if not any(_writes_to(handler, path) for handler in root.handlers):
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(path, encoding="utf-8")
            handler.setFormatter(_plain_formatter())
            root.addHandler(handler)
    return root


def _plain_formatter() -> logging.Formatter:
    return logging.Formatter(
        "[%(asctime)s] %(name)s %(levelname)s: %(message)s", datefmt=_DATE_FORMAT
    )


def _screen_handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    if sys.stdout.isatty():
        prefix = colored("[%(asctime)s %(name)s]:", "green", force_color=True)
        handler.setFormatter(_ColorfulFormatter(f"{prefix} %(message)s", datefmt=_DATE_FORMAT))
    else:
        handler.setFormatter(_plain_formatter())
    return handler


def _is_screen(handler: logging.Handler) -> bool:
    return type(handler) is logging.StreamHandler


def _writes_to(handler: logging.Handler, path: Path) -> bool:
    return isinstance(handler, logging.FileHandler) and Path(handler.baseFilename) == path.resolve()


def _log_path(output: Path, rank: int) -> Path:
    path = output if output.suffix in (".txt", ".log") else output / "log.txt"
    return path if rank == 0 else path.with_name(f"{path.name}.rank{rank}")
