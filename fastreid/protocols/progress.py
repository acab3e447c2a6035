"""The progress of a whole job of runs: how much is done, and how long the rest takes."""

from __future__ import annotations

import datetime
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

_SECONDS_BETWEEN_LINES = 30.0
# Part of a run that is training; the rest is the start and the tests of its checkpoints.
TRAINING_PART = 0.95


def fraction_done(iterations: int, max_iter: int) -> float:
    """Return the part of a running run that is done.

    Args:
        iterations: iterations that it has trained.
        max_iter: iterations of the whole training.
    """
    return TRAINING_PART * min(1.0, iterations / max(1, max_iter))


class Progress:
    """Describes the progress of a job in one line.

    Args:
        title: name of the job.
        total: number of runs.
        done_before: runs, and parts of runs, that were done when the job started.
        clock: returns seconds.

    Examples:
        >>> from fastreid.protocols.progress import Progress
        >>> seconds = iter([0.0, 720.0])
        >>> progress = Progress("protocol2", 8, done_before=0.0, clock=lambda: next(seconds))
        >>> progress.line(3, {"CS+M+MS_seed1": 0.6})
        'protocol2: 3 of 8 runs done; CS+M+MS_seed1 60 %; 0:12:00 passed, about 0:14:40 left'
    """

    def __init__(
        self,
        title: str,
        total: int,
        *,
        done_before: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = title
        self._total = total
        self._done_before = done_before
        self._clock = clock
        self._start = clock()

    def line(self, done: int, running: Mapping[str, float], failed: int = 0) -> str:
        """Describe the present state.

        Args:
            done: number of finished runs.
            running: fraction done of each running run, by its name.
            failed: number of runs that failed.

        Returns:
            Such as "protocol2: 3 of 8 runs done; CS+M+MS_seed1 45 %; 0:12:00 passed, about 0:21:00
            left".
        """
        passed = self._clock() - self._start
        parts = [f"{self._title}: {done} of {self._total} runs done"]
        if failed:
            parts[0] += f", {failed} failed"
        if running:
            parts.append(", ".join(f"{name} {100 * part:.0f} %" for name, part in running.items()))
        gained = done + sum(running.values()) - self._done_before
        left = "time left not known yet"
        if gained > 0.01:
            rest = self._total - failed - done - sum(running.values())
            left = f"about {_clock_time(max(0.0, rest) * passed / gained)} left"
        parts.append(f"{_clock_time(passed)} passed, {left}")
        return "; ".join(parts)


class ProgressLine:
    """Prints a line that replaces itself on a terminal; elsewhere, a line every half minute.

    Args:
        stream: where to print.
        clock: returns seconds.
    """

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stdout
        self._clock = clock
        self._last = -_SECONDS_BETWEEN_LINES
        self._length = 0

    def show(self, text: str, *, now: bool = False) -> None:
        """Print the line, if it is due.

        Args:
            text: the line.
            now: whether it is due in any case, because a run has begun or ended.
        """
        if self._stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            shown = text if len(text) <= width else f"{text[: width - 3]}..."
            self._stream.write(f"\r{shown:<{self._length}}")
            self._length = len(shown)
        elif now or self._clock() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = self._clock()
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Go to the next line on a terminal."""
        if self._length:
            self._stream.write("\n")
            self._length = 0


def _clock_time(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
