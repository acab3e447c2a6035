"""Data workers that live, but do not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

_WARN_OF_STOPPED_SECONDS = 5.0
_GIVE_UP_STOPPED_SECONDS = 60.0
_WARN_OF_SLOW_SECONDS = 60.0
# More between two looks means that the main process did not run either (Ctrl-Z, a laptop's lid).
_LONGEST_LOOK_SECONDS = 5.0


class _Job:
    """What a worker is at, and for how long."""

    def __init__(self, job: object) -> None:
        self.job = job
        self.seconds = 0.0
        self.stopped_seconds = 0.0
        self.is_reported = False


class StallWatch:
    """Looks at workers that are at a job, again and again."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Job] = {}
        self._looked_at = time.monotonic()

    def look(self, running: Mapping[int, object]) -> str | None:
        """Log a worker that was stopped, or is slow beyond measure.

        Args:
            running: process id -> its present job.

        Returns:
            What ends the run: a worker that stays stopped; else None.
        """
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, _LONGEST_LOOK_SECONDS), now
        known = self._jobs
        self._jobs = {
            pid: known[pid] if pid in known and known[pid].job is job else _Job(job)
            for pid, job in running.items()
        }
        for pid, entry in self._jobs.items():
            failure = _judge(pid, entry, passed if pid in known else 0.0)
            if failure is not None:
                return failure
        return None


def _judge(pid: int, entry: _Job, passed: float) -> str | None:
    entry.seconds += passed
    # Looking into /proc at every answer of a busy pool would cost more than it tells.
    if entry.seconds < min(_WARN_OF_STOPPED_SECONDS, _WARN_OF_SLOW_SECONDS):
        return None
    entry.stopped_seconds = entry.stopped_seconds + passed if _is_stopped(pid) else 0.0
    if entry.stopped_seconds >= _GIVE_UP_STOPPED_SECONDS:
        return (
            f"Data worker {pid} has been stopped (SIGSTOP) for {entry.stopped_seconds:.0f} s. Find "
            "out what stops it, and start again with --resume."
        )
    if not entry.is_reported and entry.stopped_seconds:
        entry.is_reported = True
        logger.warning(
            "Data worker %d is stopped (SIGSTOP) and batches wait for it; `kill -CONT %d` lets it "
            "go on. The run ends if it stays so for %.0f s",
            *(pid, pid, _GIVE_UP_STOPPED_SECONDS),
        )
    elif not entry.is_reported and entry.seconds >= _WARN_OF_SLOW_SECONDS:
        entry.is_reported = True
        logger.warning(
            "Data worker %d has been at the same few images for %.0f s; is the disk slow or gone?",
            *(pid, entry.seconds),
        )
    return None


def _is_stopped(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The name in parentheses may hold anything.
    return state.rpartition(")")[2].split()[:1] in (["T"], ["t"])
