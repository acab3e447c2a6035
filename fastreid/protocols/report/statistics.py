"""Means and standard deviations of scores over seeds and test splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Statistic(NamedTuple):
    """A score over seeds and test splits, in percent.

    Attributes:
        mean: mean over splits, then over seeds.
        sd_seeds: sample standard deviation, over seeds, of the means over splits; None for one
            seed.
        sd_splits: mean, over seeds, of the sample standard deviation over splits; None for one
            split.
        num_seeds: number of seeds.
        num_splits: number of splits.
    """

    mean: float
    sd_seeds: float | None
    sd_splits: float | None
    num_seeds: int
    num_splits: int


def summarize(values: Mapping[int, Sequence[float]]) -> Statistic:
    """Compute the statistic of a score.

    Args:
        values: seed -> scores of the test splits; each seed has the same splits.

    Returns:
        The statistic.

    Raises:
        ValueError: there are no scores, or seeds have different numbers of splits.

    Examples:
        >>> from fastreid.protocols.report.statistics import summarize
        >>> found = summarize({1: [70.0, 72.0], 2: [74.0, 76.0]})  # two seeds, two test splits
        >>> found.mean, round(found.sd_seeds, 4), round(found.sd_splits, 4)
        (73.0, 2.8284, 1.4142)
    """
    rows = [list(scores) for scores in values.values()]
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise ValueError(f"All seeds must have scores of the same splits, but have {dict(values)}.")
    table = np.array(rows, np.float64)  # (S, K): seeds, splits
    seeds, splits = table.shape
    return Statistic(
        float(table.mean()),
        float(table.mean(axis=1).std(ddof=1)) if seeds > 1 else None,
        float(table.std(axis=1, ddof=1).mean()) if splits > 1 else None,
        seeds,
        splits,
    )
