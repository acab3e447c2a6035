"""Writers of metrics: metrics.json and TensorBoard files."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .storage import EventStorage, Histogram, get_event_storage

# Lines carry the name of the package, not of this file.
logger = logging.getLogger(__package__)


class EventWriter:
    """Base class of writers; a subclass writes what is new in the current storage."""

    def write(self) -> None:
        """Write once; `PeriodicWriter` calls it every SOLVER.LOG_PERIOD iterations."""
        raise NotImplementedError

    def close(self) -> None:
        """Close files."""


class _NewScalars:
    """Selects the scalars that were put since the last call.

    Args:
        window: length of the median of noisy scalars; 1: the last value.
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
    """Appends one JSON object per iteration with new scalars: iteration, epoch and the scalars.

    Images and histograms are not written.

    Args:
        json_file: path of the file; a resumed run appends to it.
        window_size: length of the median of noisy scalars; 1: the last value.
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
    """Make imports of a module fail as if it were not installed, unless it is loaded already."""
    modules: dict[str, Any] = sys.modules
    if module in modules:
        yield
        return
    # None is Python's mark of a module that must not be found.
    modules[module] = None
    try:
        yield
    finally:
        del modules[module]


class TensorboardXWriter(EventWriter):
    """Writes scalars, images and histograms for TensorBoard, if tensorboardX is installed.

    Args:
        log_dir: folder of the event files.
        window_size: length of the median of noisy scalars; 1: the last value.
        **options: arguments of tensorboardX's ``SummaryWriter``.
    """

    def __init__(self, log_dir: str | Path, window_size: int = 1, **options: Any) -> None:
        self._log_dir = str(log_dir)
        self._options = options
        self._new = _NewScalars(window_size)
        self._writer: Any = None
        try:
            # tensorboardX imports PyTorch where it is installed, which takes seconds.
            with _hidden("torch"):
                from tensorboardX import SummaryWriter
        except ImportError:
            SummaryWriter = None
            logger.info(
                "No TensorBoard files: tensorboardX is not installed (pip install tensorboardX)"
            )
        self._make_writer = SummaryWriter

    def write(self) -> None:
        """Write new scalars, and images and histograms, which are then removed from the storage."""
        if self._make_writer is None:
            return
        # Made at the first writing: a trainer that never runs leaves no file.
        self._writer = self._writer or self._make_writer(self._log_dir, **self._options)
        storage = get_event_storage()
        for name, (value, iteration) in self._new.take(storage).items():
            self._writer.add_scalar(name, value, iteration)
        for name, image, iteration in storage.images():
            layout = "CHW" if image.ndim == 3 else "HW"
            self._writer.add_image(name, image, iteration, dataformats=layout)
        storage.clear_images()
        for histogram in storage.histograms():
            self._add_histogram(histogram)
        storage.clear_histograms()
        # After this the file is complete, also if the process is killed.
        self._writer.flush()

    def _add_histogram(self, histogram: Histogram) -> None:
        self._writer.add_histogram_raw(
            histogram.name,
            min=float(histogram.edges[0]),
            max=float(histogram.edges[-1]),
            num=int(histogram.counts.sum()),
            sum=histogram.total,
            sum_squares=histogram.total_squares,
            # TensorBoard has the upper limit of each bin.
            bucket_limits=histogram.edges[1:].tolist(),
            bucket_counts=histogram.counts.tolist(),
            global_step=histogram.iteration,
        )

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
