"""`EventStorage`, which holds the metrics of a training run until writers write them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..history_buffer import HistoryBuffer

# Images, and histograms, that wait for a writer. Where no writer takes them, memory stays bounded.
MAX_WAITING = 256

_storages: list[EventStorage] = []


class LoggedImage(NamedTuple):
    """An image to show, (3, H, W), (1, H, W) or (H, W) uint8, and the iteration it belongs to."""

    name: str
    image: np.ndarray
    iteration: int


class Histogram(NamedTuple):
    """The distribution of an array at one iteration.

    Attributes:
        name: name of the array.
        counts: (B,) number of values in each bin.
        edges: (B + 1,) limits of the bins, ascending.
        total: sum of the values.
        total_squares: sum of their squares.
        iteration: when it was put.
    """

    name: str
    counts: np.ndarray
    edges: np.ndarray
    total: float
    total_squares: float
    iteration: int


def get_event_storage() -> EventStorage:
    """Return the storage of the innermost ``with EventStorage(...)`` block.

    Raises:
        RuntimeError: outside such a block.
    """
    if not _storages:
        raise RuntimeError(
            "There is no event storage here; call this inside a `with EventStorage(...)` block."
        )
    return _storages[-1]


class EventStorage:
    """Scalars, images and histograms by name and iteration.

    As a context manager it becomes the storage that `get_event_storage` returns.

    Attributes:
        iter: the present iteration, set by the trainer.
        epoch: the present epoch, set by the trainer.

    Args:
        start_iter: the first iteration.

    Examples:
        >>> from fastreid.utils.events import EventStorage, get_event_storage
        >>> with EventStorage() as storage:
        ...     get_event_storage().put_scalar("total_loss", 2.5)
        ...     storage.step()
        ...     with storage.name_scope("test"):
        ...         storage.put_scalar("mAP", 71.1)
        >>> storage.latest()
        {'total_loss': (2.5, 0), 'test/mAP': (71.1, 1)}
    """

    def __init__(self, start_iter: int = 0) -> None:
        self.iter = start_iter
        self.epoch = 0
        self._prefix = ""
        self._histories: dict[str, HistoryBuffer] = {}
        self._latest: dict[str, tuple[float, int]] = {}
        self._epochs: dict[str, int] = {}
        self._smoothing_hints: dict[str, bool] = {}
        self._images: deque[LoggedImage] = deque(maxlen=MAX_WAITING)
        self._histograms: deque[Histogram] = deque(maxlen=MAX_WAITING)

    @property
    def iteration(self) -> int:
        """The present iteration (fast-reid's second name for `iter`)."""
        return self.iter

    def step(self) -> None:
        """Go on to the next iteration, in a loop without a trainer."""
        self.iter += 1

    def put_scalar(self, name: str, value: float, smoothing_hint: bool = True) -> None:
        """Add one value at the present iteration.

        Args:
            name: name of the scalar.
            value: a number, or anything that `float` takes.
            smoothing_hint: whether the scalar is noisy, so that writers may show a median.

        Raises:
            ValueError: the name was put with another hint before.
        """
        name = self._prefix + name
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

    def put_image(self, img_name: str, img_tensor: Any) -> None:
        """Add an image at the present iteration; `TensorboardXWriter` writes it.

        Args:
            img_name: name of the image.
            img_tensor: (3, H, W) RGB, (1, H, W) or (H, W); an array or a tensor. uint8 is in
                [0, 255]. Floating-point numbers are in [0, 1] if none is above 1, else in [0, 255].

        Raises:
            ValueError: the array has another shape.
        """
        image = _array(img_tensor)
        if not (image.ndim == 2 or (image.ndim == 3 and image.shape[0] in (1, 3))):
            raise ValueError(
                f"Image {img_name!r} has the shape {image.shape}; it must be (3, H, W), (1, H, W) "
                "or (H, W)."
            )
        if image.dtype != np.uint8:
            scale = 255 if image.max(initial=0) <= 1 else 1
            image = np.clip(np.rint(image.astype(np.float32) * scale), 0, 255).astype(np.uint8)
        self._images.append(LoggedImage(self._prefix + img_name, image, self.iter))

    def put_histogram(self, hist_name: str, hist_tensor: Any, bins: int = 1000) -> None:
        """Add the distribution of an array; `TensorboardXWriter` writes it.

        Args:
            hist_name: name of the array.
            hist_tensor: an array or a tensor of any shape. Values that are not finite are left
                out; an array without finite values is not added.
            bins: number of bins of equal width.
        """
        values = _array(hist_tensor).astype(np.float64).ravel()
        values = values[np.isfinite(values)]
        if not len(values):
            return
        counts, edges = np.histogram(values, bins=bins)
        sums = float(values.sum()), float(np.square(values).sum())
        name = self._prefix + hist_name
        self._histograms.append(Histogram(name, counts, edges, *sums, self.iter))

    def history(self, name: str) -> HistoryBuffer:
        """Return all values of a scalar.

        Raises:
            KeyError: no such scalar was put.
        """
        if name not in self._histories:
            raise KeyError(f"No scalar {name!r} was put; there are {sorted(self._histories)}.")
        return self._histories[name]

    def histories(self) -> dict[str, HistoryBuffer]:
        """Return all values of all scalars, in the order in which the scalars appeared."""
        return dict(self._histories)

    def latest(self) -> dict[str, tuple[float, int]]:
        """Map each name to its last value and the iteration of that."""
        return dict(self._latest)

    def latest_with_smoothing_hint(self, window_size: int = 20) -> dict[str, tuple[float, int]]:
        """Like `latest`, with the median of the last `window_size` values for noisy scalars."""
        return {
            name: (
                self._histories[name].median(window_size) if self._smoothing_hints[name] else value,
                iteration,
            )
            for name, (value, iteration) in self._latest.items()
        }

    def smoothing_hints(self) -> dict[str, bool]:
        """Map each name to the hint that it was put with."""
        return dict(self._smoothing_hints)

    def epoch_of_latest(self, name: str) -> int:
        """Return the epoch in which the last value of a scalar was put."""
        return self._epochs[name]

    def images(self) -> tuple[LoggedImage, ...]:
        """Return the images that were put since `clear_images`, the last 256 of them."""
        return tuple(self._images)

    def histograms(self) -> tuple[Histogram, ...]:
        """Return the histograms that were put since `clear_histograms`, the last 256 of them."""
        return tuple(self._histograms)

    def clear_images(self) -> None:
        """Remove all images; a writer calls it after it has written them."""
        self._images.clear()

    def clear_histograms(self) -> None:
        """Remove all histograms; a writer calls it after it has written them."""
        self._histograms.clear()

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Put ``<name>/`` before every name that is put inside the block.

        Args:
            name: name of the scope. In nested scopes only the innermost name is used, as in
                fast-reid.
        """
        before = self._prefix
        self._prefix = name.rstrip("/") + "/"
        try:
            yield
        finally:
            self._prefix = before

    def __enter__(self) -> EventStorage:
        _storages.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _storages.remove(self)


def _array(values: Any) -> np.ndarray:
    return values.asnumpy() if hasattr(values, "asnumpy") else np.asarray(values)
