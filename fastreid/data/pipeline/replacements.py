"""Replacement of unreadable images (DATALOADER.ON_ERROR "skip")."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import numpy as np

from ..common import CommDataset
from ..data_utils import ImageError

logger = logging.getLogger(__name__)


class ImageReplacements:
    """Finds images that replace unreadable ones, and counts how often each was replaced.

    Args:
        dataset: training images.
    """

    def __init__(self, dataset: CommDataset) -> None:
        self._dataset = dataset
        self._counts: Counter[int] = Counter()

    def candidates(self, index: int) -> Iterator[int]:
        """Give the other images of the same identity, in an order that depends on the image only.

        Args:
            index: index of the image to replace.
        """
        others = np.flatnonzero(self._dataset.targets == self._dataset.targets[index])
        start = int(np.searchsorted(others, index))
        yield from np.roll(others, -start)[1:].tolist()

    def record(self, index: int, error: ImageError) -> None:
        """Count a failure to read an image, and log the first one of each image.

        Args:
            index: index of the image.
            error: why it could not be read.
        """
        self._counts[index] += 1
        if self._counts[index] == 1:
            logger.warning(
                "%s It is replaced by another image of its identity (DATALOADER.ON_ERROR skip); "
                "files skipped so far: %d",
                *(error, len(self._counts)),
            )

    def log_summary(self) -> None:
        """Log how many files were replaced, and how often."""
        if self._counts:
            logger.warning(
                "%d unreadable image files were replaced, %d times in all",
                *(len(self._counts), sum(self._counts.values())),
            )
