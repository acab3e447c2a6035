"""Detection of data workers that are alive but do not finish their job."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

_STOPPED_WARNING_SECONDS = 5.0
_STOPPED_FAILURE_SECONDS = 60.0
_SLOW_WARNING_SECONDS = 60.0
# A longer time between two checks means that the main process did not run either (Ctrl-Z, suspend).
_LONGEST_INTERVAL_SECONDS = 5.0


class _Job:
    """The current job of a worker, and how long it has taken."""

    def __init__(self, job: object) -> None:
        self.job = job
        self.seconds = 0.0
        self.stopped_seconds = 0.0
        self.is_reported = False


class StallDetector:
    """Finds workers that were stopped or are very slow; called at regular intervals."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Job] = {}
        self._checked_at = time.monotonic()

    def check(self, running: Mapping[int, object]) -> str | None:
        """Log a warning about each worker that was stopped or is very slow.

        Args:
            running: process id -> the current job of that process.

        Returns:
            The error message if a worker has been stopped for too long, which ends the run; else
            None.
        """
        now = time.monotonic()
        passed, self._checked_at = min(now - self._checked_at, _LONGEST_INTERVAL_SECONDS), now
        known = self._jobs
        self._jobs = {
            pid: known[pid] if pid in known and known[pid].job is job else _Job(job)
            for pid, job in running.items()
        }
        for pid, entry in self._jobs.items():
            failure = _check_job(pid, entry, passed if pid in known else 0.0)
            if failure is not None:
                return failure
        return None


def _check_job(pid: int, entry: _Job, passed: float) -> str | None:
    entry.seconds += passed
    # Reading /proc for every job of a busy pool would be slow.
    if entry.seconds < min(_STOPPED_WARNING_SECONDS, _SLOW_WARNING_SECONDS):
        return None
    entry.stopped_seconds = entry.stopped_seconds + passed if _is_stopped(pid) else 0.0
    if entry.stopped_seconds >= _STOPPED_FAILURE_SECONDS:
        return (
            f"Data worker {pid} has been stopped (SIGSTOP) for {entry.stopped_seconds:.0f} s. Find "
            "out what stops it, then continue with --resume."
        )
    if not entry.is_reported and entry.stopped_seconds:
        entry.is_reported = True
        logger.warning(
            "Data worker %d is stopped (SIGSTOP) and batches wait for it; `kill -CONT %d` resumes "
            "it. The run ends if it stays stopped for %.0f s",
            *(pid, pid, _STOPPED_FAILURE_SECONDS),
        )
    elif not entry.is_reported and entry.seconds >= _SLOW_WARNING_SECONDS:
        entry.is_reported = True
        logger.warning(
            "Data worker %d has been reading the same few images for %.0f s; is the disk slow or "
            "disconnected?",
            *(pid, entry.seconds),
        )
    return None


def _is_stopped(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The process name, in parentheses, may contain any character.
    return state.rpartition(")")[2].split()[:1] in (["T"], ["t"])
