"""Numbers of a training run: where they are put, and who writes them where."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .history_buffer import HistoryBuffer

logger = logging.getLogger(__name__)

_storages: list[EventStorage] = []


def get_event_storage() -> EventStorage:
    """Give the storage of the innermost ``with EventStorage(...)`` block.

    Raises:
        RuntimeError: outside such a block.
    """
    if not _storages:
        raise RuntimeError(
            "There is no event storage here; call this inside a `with EventStorage(...)` block."
        )
    return _storages[-1]


class EventStorage:
    """Scalars by name and iteration; a context manager that makes itself the current storage.

    Attributes:
        iter: the present iteration, set by the trainer.
        epoch: the present epoch, set by the trainer.

    Args:
        start_iter: the first iteration.
    """

    def __init__(self, start_iter: int = 0) -> None:
        self.iter = start_iter
        self.epoch = 0
        self._histories: dict[str, HistoryBuffer] = {}
        self._latest: dict[str, tuple[float, int]] = {}
        self._epochs: dict[str, int] = {}
        self._smoothing_hints: dict[str, bool] = {}

    def put_scalar(self, name: str, value: float, *, smoothing_hint: bool = True) -> None:
        """Add one value at the present iteration.

        Args:
            name: of the scalar.
            value: anything that `float` takes.
            smoothing_hint: whether the scalar is noisy, so that writers may show a median.

        Raises:
            ValueError: if a name comes with another hint than before.
        """
        if self._smoothing_hints.setdefault(name, smoothing_hint) != smoothing_hint:
            raise ValueError(
                f"Scalar {name!r} was put with smoothing_hint={not smoothing_hint} before; use the "
                "same hint every time."
            )
        value = float(value)
        self._histories.setdefault(name, HistoryBuffer()).update(value, self.iter)
        self._latest[name] = (value, self.iter)
        self._epochs[name] = self.epoch

    def put_scalars(self, *, smoothing_hint: bool = True, **scalars: float) -> None:
        """Add several values at the present iteration.

        Args:
            smoothing_hint: as in `put_scalar`, for all of them.
            **scalars: name -> value.
        """
        for name, value in scalars.items():
            self.put_scalar(name, value, smoothing_hint=smoothing_hint)

    def history(self, name: str) -> HistoryBuffer:
        """Give the past of a scalar.

        Raises:
            KeyError: if no such scalar was put.
        """
        if name not in self._histories:
            raise KeyError(f"No scalar {name!r} was put; there are {sorted(self._histories)}.")
        return self._histories[name]

    def histories(self) -> dict[str, HistoryBuffer]:
        """Give the past of all scalars, in the order in which they appeared."""
        return dict(self._histories)

    def latest(self) -> dict[str, tuple[float, int]]:
        """Map each name to its last value and the iteration of that."""
        return dict(self._latest)

    def latest_with_smoothing_hint(self, window: int = 20) -> dict[str, tuple[float, int]]:
        """Like `latest`, with the median of the last `window` values for the noisy scalars."""
        return {
            name: (
                self._histories[name].median(window) if self._smoothing_hints[name] else value,
                iteration,
            )
            for name, (value, iteration) in self._latest.items()
        }

    def epoch_of_latest(self, name: str) -> int:
        """Give the epoch in which the last value of a scalar was put."""
        return self._epochs[name]

    def __enter__(self) -> EventStorage:
        _storages.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _storages.remove(self)


class EventWriter:
    """Writes what is new in the current storage; subclass it."""

    def write(self) -> None:
        """Write once; called every some iterations."""
        raise NotImplementedError

    def close(self) -> None:
        """Release files."""


class _NewScalars:
    """Picks what a writer has not seen yet.

    Args:
        window: for the median of noisy scalars; 1 gives the last value.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._seen: dict[str, int] = {}

    def take(self, storage: EventStorage) -> dict[str, tuple[float, int]]:
        latest = storage.latest_with_smoothing_hint(self._window)
        new = {name: entry for name, entry in latest.items() if entry[1] > self._seen.get(name, -1)}
        self._seen.update({name: iteration for name, (_, iteration) in new.items()})
        return new


class JSONWriter(EventWriter):
    """Appends one JSON object per iteration that has news: iteration, epoch and the new scalars.

    Args:
        json_file: path of the file; a resumed run goes on in it.
        window_size: median over so many values for noisy scalars.
    """

    def __init__(self, json_file: str | Path, window_size: int = 1) -> None:
        self._path = Path(json_file)
        self._new = _NewScalars(window_size)

    def write(self) -> None:
        """Append the lines."""
        storage = get_event_storage()
        records: dict[int, dict[str, Any]] = defaultdict(dict)
        for name, (value, iteration) in self._new.take(storage).items():
            records[iteration]["iteration"] = iteration
            records[iteration]["epoch"] = storage.epoch_of_latest(name)
            records[iteration][name] = value
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(records[iteration]) + "\n" for iteration in sorted(records))


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Let imports of a module fail as if it were not installed, unless it is loaded."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None
    try:
        yield
    finally:
        del sys.modules[module]


class TensorboardXWriter(EventWriter):
    """Writes scalars for TensorBoard, if the optional package tensorboardX is there.

    Args:
        log_dir: folder of the event files.
        window_size: median over so many values for noisy scalars.
    """

    def __init__(self, log_dir: str | Path, window_size: int = 1) -> None:
        self._log_dir = str(log_dir)
        self._new = _NewScalars(window_size)
        self._writer: Any = None
        try:
            # Where PyTorch is installed tensorboardX loads it: seconds, for tensors unseen here.
            with _hidden("torch"):
                from tensorboardX import SummaryWriter
        except ImportError:
            SummaryWriter = None
            logger.info(
                "No TensorBoard files: tensorboardX is not installed (pip install tensorboardX)"
            )
        self._make_writer = SummaryWriter

    def write(self) -> None:
        """Write what is new."""
        if self._make_writer is None:
            return
        # Made when there is something to write: a trainer that never runs leaves no file.
        self._writer = self._writer or self._make_writer(self._log_dir)
        for name, (value, iteration) in self._new.take(get_event_storage()).items():
            self._writer.add_scalar(name, value, iteration)
        # What is written stays, however the process ends.
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()


class CommonMetricPrinter(EventWriter):
    """Logs one line: time left, epoch and iteration, losses, times, rate, memory.

    Args:
        max_iter: where training stops, for the time left.
    """

    def __init__(self, max_iter: int) -> None:
        self._max_iter = max_iter
        self._last_write: tuple[int, float] | None = None

    def write(self) -> None:
        """Log the line."""
        storage = get_event_storage()
        histories = storage.histories()
        latest = storage.latest_with_smoothing_hint()
        # The sums first; the terms of meta steps are in metrics.json, a line has its limits.
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
            # The mean: ACL's meta steps make every third iteration a slow one.
            seconds = storage.history("time").avg(300) * left
        elif last is not None and storage.iter > last[0]:
            seconds = (now - last[1]) / (storage.iter - last[0]) * left
        else:
            return "N/A"
        return str(datetime.timedelta(seconds=int(seconds)))


def max_memory_gb() -> float:
    """Largest resident memory of this process so far, in GB (2**30 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
