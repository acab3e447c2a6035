"""The loop that runs a model on a test set and passes its features to an evaluator."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from fastreid.utils.machine import CoreSharing

from .dataset_evaluator import DatasetEvaluator
from .features.gathering import score_together

if TYPE_CHECKING:
    from mindspore import nn

SECONDS_BETWEEN_LOGS = 10.0

logger = logging.getLogger(__name__)


class _Progress:
    """Logs speed and remaining time every ten seconds.

    Args:
        num_images: number of images in total.
    """

    def __init__(self, num_images: int) -> None:
        self._num_images = num_images
        self._begin = self._last_log = time.perf_counter()
        self._done = self._done_at_start = 0
        self._start = self._begin

    def add(self, num_images: int) -> None:
        now = time.perf_counter()
        if not self._done:
            # The first batch compiles the model and is not counted in the speed.
            self._start, self._done_at_start = now, num_images
        self._done += num_images
        if now - self._last_log >= SECONDS_BETWEEN_LOGS:
            self._last_log = now
            self._log(now)

    def _log(self, now: float) -> None:
        counted = self._done - self._done_at_start
        if not counted:
            logger.info("Evaluated %d/%d images", self._done, self._num_images)
            return
        speed = counted / max(now - self._start, 1e-9)
        eta = datetime.timedelta(seconds=int((self._num_images - self._done) / speed))
        logger.info(
            "Evaluated %d/%d images, %.1f images/s, ETA %s",
            *(self._done, self._num_images, speed, eta),
        )

    def finish(self) -> None:
        seconds = time.perf_counter() - self._begin
        logger.info(
            "Features of %d images in %s (%.1f images/s)",
            *(self._done, datetime.timedelta(seconds=round(seconds)), self._done / seconds),
        )


def inference_on_dataset(
    model: nn.Cell,
    data_loader: Any,
    evaluator: DatasetEvaluator,
    flip_test: bool = False,
    *,
    sharing: CoreSharing | None = None,
) -> Any:
    """Run a model on a test set in evaluation mode and score its features.

    Args:
        model: maps images (N, 3, H, W) float32 to features (N, D).
        data_loader: yields dict batches; has ``dataset`` and ``batch_size``. If several processes
            share its batches, rank 0 scores the features of all.
        evaluator: collects and scores the features; it is reset first.
        flip_test: whether to average the features of each image and its mirror image.
        sharing: looks after each batch who else uses the cores; None: nobody does.

    Returns:
        The result of the evaluator's ``evaluate``.
    """
    from mindspore import Tensor

    def compute(images: np.ndarray) -> np.ndarray:
        return model(Tensor(images)).asnumpy()

    with inference_context(model):
        return run_on_dataset(compute, data_loader, evaluator, flip_test=flip_test, sharing=sharing)


def run_on_dataset(
    compute: Callable[[np.ndarray], np.ndarray],
    data_loader: Any,
    evaluator: DatasetEvaluator,
    *,
    flip_test: bool = False,
    sharing: CoreSharing | None = None,
) -> Any:
    """Score the features of any function on a test set; see `inference_on_dataset`.

    Args:
        compute: maps images (N, 3, H, W) float32 to features (N, D), such as an `Embedder`.
        data_loader: as for `inference_on_dataset`.
        evaluator: collects and scores the features; it is reset first.
        flip_test: whether to average the features of each image and its mirror image.
        sharing: as for `inference_on_dataset`.

    Returns:
        The result of the evaluator's ``evaluate``.
    """
    extract = _Extractor(compute, batch_size=data_loader.batch_size, flip_test=flip_test)
    is_shared = getattr(data_loader, "is_shared", False)
    num_images = len(data_loader.sampler if is_shared else data_loader.dataset)
    logger.info("Start evaluation on %d images", num_images)
    evaluator.reset()
    progress = _Progress(num_images)
    of_batches = []
    for batch in data_loader:
        features = extract(batch["images"])
        # Processes can have different numbers of batches, so nothing is communicated here.
        if is_shared:
            of_batches.append(features)
        else:
            evaluator.process(batch, features)
        progress.add(len(batch["images"]))
        if sharing:
            sharing.report(logger)
    progress.finish()
    return score_together(evaluator, data_loader, of_batches) if is_shared else evaluator.evaluate()


class _Extractor:
    """Computes the features of a batch; a smaller last batch is padded to the full size.

    Args:
        compute: maps (N, 3, H, W) to (N, D).
        batch_size: N of a full batch.
        flip_test: whether to average with the features of the mirror images.
    """

    def __init__(self, compute: Callable, *, batch_size: int, flip_test: bool) -> None:
        self._compute = compute
        self._batch_size = batch_size
        self._flip_test = flip_test

    def __call__(self, images: np.ndarray) -> np.ndarray:
        num_images = len(images)
        if num_images < self._batch_size:
            # For another batch size the model would be compiled again.
            images = images[np.arange(self._batch_size) % num_images]
        features = self._run(images)
        if self._flip_test:
            # Unlike fast-reid, the features are not normalized before the mean.
            features = (features + self._run(np.ascontiguousarray(images[..., ::-1]))) / 2
        return features[:num_images]

    def _run(self, images: np.ndarray) -> np.ndarray:
        return self._compute(images).astype(np.float32, copy=False)


@contextmanager
def inference_context(model: nn.Cell) -> Iterator[None]:
    """Put a model into evaluation mode inside the block, and restore its mode at the end.

    Args:
        model: any cell.
    """
    was_training = model.training
    model.set_train(False)
    try:
        yield
    finally:
        model.set_train(was_training)
