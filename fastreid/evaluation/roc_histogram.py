"""ROC curve from a histogram of distances, for more pairs than fit into memory."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, row_blocks
from fastreid.utils.processor.threads import run_on_threads

from .rerank import RerankedRows
from .retrieval import RetrievalLabels

NUM_BINS = 2**20
# Rows that a thread processes in one task.
ROWS_PER_TASK = 32


class RocHistogram:
    """Histograms of the distances of all scored pairs: of one identity, and of two.

    The ROC curve is computed with the edges between bins as thresholds. At the edges it is exact;
    `rate_at` bounds the error between them.

    Args:
        distmat: (Q, G).
        labels: labels of queries and gallery.
        num_bins: number of bins from 0 to the upper bound of the distances.

    Attributes:
        false_rate: (num_bins + 1,) false positive rates, ascending.
        true_rate: (num_bins + 1,) true positive rates.

    Raises:
        ValueError: lengths differ, or queries or gallery are empty.
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
            # A few tasks at a time, because each returns an array of all bins.
            for few in range(0, len(pieces), 8):
                kept += sum(run_on_threads(self._count, pieces[few : few + 8]))
            own = [labels.matches(query) for query in range(rows.start, rows.stop)]
            for counts, sign, which in ((same, 1, 0), (kept, -1, 0), (kept, -1, 1)):
                pairs = [dist[found[which]] for dist, found in zip(block, own)]
                counts += sign * self._count(np.concatenate(pairs))
        # From the largest threshold, above which there are no pairs, to 0, above which all are.
        self.false_rate, self.true_rate = (_fractions_above(counts) for counts in (same, kept))

    def _count(self, distances: np.ndarray) -> np.ndarray:
        bins = (distances * self._bins_per_unit).astype(np.int32)
        np.clip(bins, 0, self._num_bins - 1, out=bins)
        return np.bincount(bins.ravel(), minlength=self._num_bins)

    def rate_at(self, target: float) -> tuple[float, float]:
        """Return the true positive rate at the point nearest to a false positive rate.

        Args:
            target: false positive rate, 0 to 1.

        Returns:
            The true positive rate, and a bound of its difference from that of the exact curve.
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


def _fractions_above(counts: np.ndarray) -> np.ndarray:
    """Return the (B + 1,) fractions of pairs above each edge, from the last edge to the first."""
    total = np.concatenate([[0], np.cumsum(counts[::-1])])
    return total / max(total[-1], 1)
