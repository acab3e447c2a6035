"""Images that take the place of unreadable ones (DATALOADER.ON_ERROR "skip")."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import numpy as np

from ..common import CommDataset
from ..data_utils import ImageError

logger = logging.getLogger(__name__)


class Substitutes:
    """Which images may stand in for one, and a count of how often they had to.

    Args:
        dataset: paths and labels.
    """

    def __init__(self, dataset: CommDataset) -> None:
        self._dataset = dataset
        self._times: Counter[int] = Counter()

    def of(self, index: int) -> Iterator[int]:
        """Give the other images of an identity, from the next one on: the same ones every time.

        Args:
            index: of the image to replace.
        """
        others = np.flatnonzero(self._dataset.targets == self._dataset.targets[index])
        start = int(np.searchsorted(others, index))
        yield from np.roll(others, -start)[1:].tolist()

    def note(self, index: int, error: ImageError) -> None:
        """Count an unreadable image; the first time, log it."""
        self._times[index] += 1
        if self._times[index] == 1:
            logger.warning(
                "%s Another image of its identity takes its place (DATALOADER.ON_ERROR skip); "
                "files skipped so far: %d",
                *(error, len(self._times)),
            )

    def close(self) -> None:
        """Log the counts."""
        if self._times:
            logger.warning(
                "%d unreadable image files were replaced, %d times in all",
                *(len(self._times), sum(self._times.values())),
            )
