"""What a rank prints: into a file that its supervisor reads, and that moves to OUTPUT_DIR."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .job import OUTPUT_VARIABLE

_TRACEBACK = "Traceback (most recent call last)"
_LAST_BYTES = 64 * 1024
_LAST_LINES = 60


def move_output(path: Path) -> bool:
    """Let this rank print into another file from now on, which gets what was printed before too.

    Args:
        path: of the file; goes on where a run before it stopped.

    Returns:
        Whether this process is a rank of our own launcher; else nothing is done.
    """
    if OUTPUT_VARIABLE not in os.environ:
        return False
    first = Path(os.environ[OUTPUT_VARIABLE])
    sys.stdout.flush()
    sys.stderr.flush()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        start = file.tell()
        file.write(first.read_bytes())
        file.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    note = first.with_suffix(".tmp")
    note.write_text(json.dumps({"path": str(path.resolve()), "start": start}), encoding="utf-8")
    note.replace(_note_of(first))
    return True


def _note_of(path: Path) -> Path:
    return path.with_suffix(".moved")


class RankOutput:
    """Reads what a rank prints.

    Args:
        path: where the rank prints at first.
    """

    def __init__(self, path: Path) -> None:
        self._first = path
        self._start = 0
        self._offset = 0
        self.path = path

    def new(self) -> str:
        """Read what was printed since the last call."""
        self._follow()
        with self.path.open("rb") as file:
            file.seek(self._start + self._offset)
            text = file.read()
        self._offset += len(text)
        return text.decode(errors="replace")

    def last_words(self) -> str:
        """Read the last traceback, or the last lines where there is none."""
        self._follow()
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - _LAST_BYTES))
            text = file.read().decode(errors="replace").rstrip()
        place = text.rfind(f"\n{_TRACEBACK}")
        if place < 0 and not text.startswith(_TRACEBACK):
            return "\n".join(text.splitlines()[-_LAST_LINES:])
        return text[place + 1 :]

    def lasting_path(self) -> Path | None:
        """Tell where the output stays when the supervisor ends; None: nowhere."""
        self._follow()
        return None if self.path == self._first else self.path

    def _follow(self) -> None:
        note = _note_of(self._first)
        if self.path == self._first and note.is_file():
            moved = json.loads(note.read_text(encoding="utf-8"))
            self.path, self._start = Path(moved["path"]), moved["start"]
