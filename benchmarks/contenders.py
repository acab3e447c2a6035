"""Benchmark processes that are measured in turn; each one is idle between its measurements."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path


class Contender:
    """A script in a separate process that answers every line with a line of JSON.

    Args:
        script: file of the script; its own output must go to standard error.
        job: the job, sent to the script as the first line, as JSON.
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
        self._send(json.dumps(job))

    def ask(self, line: str) -> dict:
        """Send a line and wait for the answer.

        Raises:
            SystemExit: if the process has ended.
        """
        self._send(line)
        answer = self._output.readline()
        if not answer:
            raise SystemExit(f"The benchmark process {self.name} failed; its error is above.")
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

    def _send(self, line: str) -> None:
        # If the process has ended, `ask` detects it by the missing answer.
        with contextlib.suppress(BrokenPipeError):
            print(line, file=self._input, flush=True)
