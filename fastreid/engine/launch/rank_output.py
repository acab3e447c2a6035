"""The output of a rank: a file that its supervisor reads, later moved to OUTPUT_DIR."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from .job import OUTPUT_VARIABLE

_TRACEBACK = "Traceback (most recent call last)"
# MindSpore writes these lines when connections are closed, at each level of GLOG_v.
_NOISE = re.compile(r"\[INFO\] DISTRIBUTED\(.*\n?")
_LEVEL_VARIABLE = "GLOG_v"
_NOISE_START = "[INFO] DISTRIBUTED("
# Format in which commands report user errors: run_command of fastreid.utils.command_line.command.
_ONE_LINE = re.compile(r"^[\w.-]+\.py: (?P<message>.+)$", re.MULTILINE)
_LAST_BYTES = 64 * 1024
_LAST_LINES = 60


def move_output(path: Path) -> bool:
    """Redirect the output of this rank to another file, and copy its earlier output there.

    Args:
        path: the file; output is appended to it.

    Returns:
        Whether this process is a rank that `launch` started; if not, nothing is done.
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


def without_notes(text: str) -> str:
    """Remove MindSpore's messages about connections, unless GLOG_v enables them.

    Args:
        text: output of a rank, in whole lines.
    """
    return text if os.environ.get(_LEVEL_VARIABLE) in ("0", "1") else _NOISE.sub("", text)


def _note_of(path: Path) -> Path:
    return path.with_suffix(".moved")


class RankOutput:
    """Reads the output of a rank.

    Args:
        path: file that the rank writes to at first.
    """

    def __init__(self, path: Path) -> None:
        self._first = path
        self._start = 0
        self._offset = 0
        self._held = ""
        self.path = path

    def new(self) -> str:
        """Read the output since the last call, without MindSpore's messages about connections."""
        self._follow()
        with self.path.open("rb") as file:
            file.seek(self._start + self._offset)
            read = file.read()
        self._offset += len(read)
        text = self._held + read.decode(errors="replace")
        place = text.rfind("\n") + 1
        last = text[place:]
        # An incomplete message about connections is kept until the rest of its line arrives.
        is_note = bool(last) and (last.startswith(_NOISE_START) or _NOISE_START.startswith(last))
        self._held = last if is_note else ""
        return without_notes(text[:place] if is_note else text)

    def _end_of_text(self) -> str:
        self._follow()
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - _LAST_BYTES))
            return without_notes(file.read().decode(errors="replace")).rstrip()

    def ends_in_one_line(self) -> bool:
        """Tell whether the last line is the one line in which a command reports a user error."""
        return bool(_ONE_LINE.match(self._end_of_text().rpartition("\n")[2]))

    def error_line(self) -> str:
        """Read the error that ended the process.

        Returns:
            The message of a user error, or the first line after a traceback; else "".
        """
        text = self._end_of_text()
        found = _ONE_LINE.match(text.rpartition("\n")[2])
        if found:
            return found["message"]
        end = self.end_of_output()
        if not end.startswith(_TRACEBACK):
            return ""
        lines = end.splitlines()[1:]
        return next((line for line in lines if line and not line[0].isspace()), "")

    def end_of_output(self) -> str:
        """Read the last traceback, or the last lines if there is none."""
        text = self._end_of_text()
        place = text.rfind(f"\n{_TRACEBACK}")
        if place < 0 and not text.startswith(_TRACEBACK):
            return "\n".join(text.splitlines()[-_LAST_LINES:])
        return text[place + 1 :]

    def lasting_path(self) -> Path | None:
        """Return the file in which the output remains after the job; None if it is removed."""
        self._follow()
        return None if self.path == self._first else self.path

    def _follow(self) -> None:
        note = _note_of(self._first)
        if self.path == self._first and note.is_file():
            moved = json.loads(note.read_text(encoding="utf-8"))
            self.path, self._start = Path(moved["path"]), moved["start"]
