"""The progress line in the log."""

from __future__ import annotations

import datetime
import logging
import resource
import sys
import time

from .storage import EventStorage, get_event_storage
from .writers import EventWriter

# Lines carry the name of the package, not of this file.
logger = logging.getLogger(__package__)


class CommonMetricPrinter(EventWriter):
    """Logs one line: time left, epoch and iteration, losses, times, learning rate, memory.

    Args:
        max_iter: number of the iterations of the run, from which the time left is estimated.
    """

    def __init__(self, max_iter: int) -> None:
        self._max_iter = max_iter
        self._last_write: tuple[int, float] | None = None

    def write(self) -> None:
        """Log the line."""
        storage = get_event_storage()
        histories = storage.histories()
        latest = storage.latest_with_smoothing_hint()
        # Sums first. To keep the line short, the terms of meta steps are in metrics.json only.
        losses = [name for name in latest if name.endswith("total_loss")]
        losses += [name for name in latest if name.startswith("loss")]
        parts = [
            f"eta: {self._eta(storage)}",
            f"epoch/iter: {storage.epoch}/{storage.iter}",
            *(f"{name}: {latest[name][0]:.4g}" for name in losses),
        ]
        for name in ("data_time", "time"):
            if name in histories:
                parts.append(f"{name}: {histories[name].avg(20):.4f}")
        if "lr" in histories:
            parts.append(f"lr: {histories['lr'].latest():.2e}")
        parts.append(f"max_mem: {max_memory_gb():.2f}G")
        logger.info("%s", "  ".join(parts))

    def _eta(self, storage: EventStorage) -> str:
        left = max(self._max_iter - storage.iter - 1, 0)
        now, last = time.perf_counter(), self._last_write
        self._last_write = (storage.iter, now)
        if "time" in storage.histories():
            # The mean, not the median: with ACL every third iteration takes a meta step too.
            seconds = storage.history("time").avg(300) * left
        elif last is not None and storage.iter > last[0]:
            seconds = (now - last[1]) / (storage.iter - last[0]) * left
        else:
            return "N/A"
        return str(datetime.timedelta(seconds=int(seconds)))


def max_memory_gb() -> float:
    """Return the largest resident memory of this process so far, in GB (2**30 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
