"""Benchmark processes that are measured in turn; each one is idle between its measurements."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


class Contender:
    """A script in a separate process that answers every line with a line of JSON.

    Args:
        script: file of the script; its own output must go to standard error.
        job: the job, sent to the script as the first line, as JSON.
        environment: all environment variables of the process; None: those of this one.
    """

    def __init__(
        self, script: Path, job: dict, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = script.stem
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self.begin(json.dumps(job))

    def ask(self, line: str) -> dict:
        """Send a line and wait for the answer.

        Raises:
            SystemExit: if the process has ended.
        """
        self.begin(line)
        return self.answer()

    def begin(self, line: str) -> None:
        """Send a line; `answer` waits for the answer."""
        # If the process has ended, `answer` detects it.
        with contextlib.suppress(BrokenPipeError):
            print(line, file=self._input, flush=True)

    def answer(self) -> dict:
        """Wait for the answer to a line.

        Raises:
            SystemExit: if the process has ended.
        """
        answer = self._output.readline()
        if not answer:
            raise SystemExit(f"The benchmark process {self.name} failed; its error is above.")
        return json.loads(answer)

    def end_input(self) -> None:
        """Let the process end after what it does."""
        with contextlib.suppress(BrokenPipeError):
            self._input.close()

    def close(self) -> None:
        """End the process."""
        self.end_input()
        self._output.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
