"""Processes that are measured in turn, each alone in its memory and idle between measurements."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path


class Contender:
    """A script in a process of its own that answers lines with lines of JSON.

    Args:
        script: the file; what it prints itself it sends to standard error.
        job: its first line, as JSON.
    """

    def __init__(self, script: Path, job: dict) -> None:
        self.name = script.stem
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._say(json.dumps(job))

    def ask(self, line: str) -> dict:
        """Send a line and wait for the answer.

        Raises:
            SystemExit: if the process has ended.
        """
        self._say(line)
        answer = self._output.readline()
        if not answer:
            raise SystemExit(f"The contender {self.name} failed; its error stands above.")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._output.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, line: str) -> None:
        # Where the process has ended, the missing answer tells.
        with contextlib.suppress(BrokenPipeError):
            print(line, file=self._input, flush=True)
