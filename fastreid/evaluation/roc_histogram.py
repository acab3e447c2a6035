"""The ROC curve of more pairs than can be kept: from a histogram of their distances."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, row_blocks
from fastreid.utils.threads import run_on_threads

from .rerank import RerankedRows
from .retrieval import RetrievalLabels

NUM_BINS = 2**20
# Rows that one thread works on at a time.
ROWS_PER_TASK = 32


class RocHistogram:
    """The distances of all pairs that count, by bins, of one identity and of two.

    The edges between bins are thresholds, so the curve through them goes through points of the
    exact one; between two edges lies what the histogram does not know, and `rate_at` bounds it.

    Args:
        distmat: (Q, G).
        labels: of queries and gallery.
        num_bins: from 0 to the largest distance that is possible.

    Raises:
        ValueError: lengths differ or a side is empty.
    """

    def __init__(
        self,
        distmat: np.ndarray | DistanceRows | RerankedRows,
        labels: RetrievalLabels,
        *,
        num_bins: int = NUM_BINS,
    ) -> None:
        labels.check(distmat.shape)
        largest = distmat.max() if isinstance(distmat, np.ndarray) else distmat.largest
        self._bins_per_unit = np.float32(num_bins / max(float(largest), 1e-12))
        self._num_bins = num_bins
        same, kept = np.zeros((2, num_bins), np.int64)
        for rows in row_blocks(*distmat.shape):
            block = distmat[rows]
            starts = range(0, len(block), ROWS_PER_TASK)
            pieces = [block[start : start + ROWS_PER_TASK] for start in starts]
            # A few at a time: each gives counts of all bins.
            for few in range(0, len(pieces), 8):
                kept += sum(run_on_threads(self._count, pieces[few : few + 8]))
            own = [labels.matches(query) for query in range(rows.start, rows.stop)]
            for counts, sign, which in ((same, 1, 0), (kept, -1, 0), (kept, -1, 1)):
                pairs = [dist[found[which]] for dist, found in zip(block, own)]
                counts += sign * self._count(np.concatenate(pairs))
        # Rates at the thresholds, from the largest, which takes nothing, to 0, which takes all.
        self.false_rate, self.true_rate = (_shares_above(counts) for counts in (same, kept))

    def _count(self, distances: np.ndarray) -> np.ndarray:
        bins = (distances * self._bins_per_unit).astype(np.int32)
        np.clip(bins, 0, self._num_bins - 1, out=bins)
        return np.bincount(bins.ravel(), minlength=self._num_bins)

    def rate_at(self, target: float) -> tuple[float, float]:
        """Read the curve where the false positive rate is nearest to a target.

        Args:
            target: false positive rate, 0 to 1.

        Returns:
            The true positive rate there, and by how much the exact curve's may differ from it.
        """
        false_rate, true_rate = self.false_rate, self.true_rate
        place = int(np.argmin(np.abs(false_rate - target)))
        above = int(np.searchsorted(false_rate, target, side="left"))
        last = min(max(above, place), len(true_rate) - 1)
        below = false_rate[np.searchsorted(false_rate, target, side="right") - 1]
        first = min(int(np.searchsorted(false_rate, below, side="left")), place)
        value = true_rate[place]
        bound = max(true_rate[last] - value, value - true_rate[max(first - 1, 0)])
        return float(value), float(bound)


def _shares_above(counts: np.ndarray) -> np.ndarray:
    """(B + 1,) share of all that lies above each edge, from the last edge to the first."""
    total = np.concatenate([[0], np.cumsum(counts[::-1])])
    return total / max(total[-1], 1)
