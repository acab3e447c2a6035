"""Positions of matches in rankings, counted on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastreid.utils.compute_dist import DeviceDistances
from fastreid.utils.processor.threads import run_on_threads

from ..positions import MOST_COUNTED, match_positions, without_junk


def match_positions_on_device(
    block: DeviceDistances, matches: Sequence[np.ndarray], junk: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Find the positions of the matches of several queries, as `match_positions` does for one.

    Queries with more than `MOST_COUNTED` matches are ranked on the host.

    Args:
        block: (R, G) distances.
        matches: gallery indices of each query's matches, ascending; R arrays.
        junk: gallery indices of each query's ignored images; R arrays.

    Returns:
        Positions of each query's matches, from 0, ascending; empty without a match.
    """
    counted = [some if len(some) <= MOST_COUNTED else some[:0] for some in matches]
    columns = _padded(counted)
    before, own, out = block.count_before(columns), block.take(columns), block.take(_padded(junk))
    positions = []
    for row, (some, ignored) in enumerate(zip(counted, junk)):
        here = slice(len(some))
        distances, outside = own[row, here], out[row, : len(ignored)]
        positions.append(without_junk(before[row, here], distances, some, outside, ignored))
    many = [row for row, some in enumerate(matches) if len(some) > MOST_COUNTED]
    if many:
        distances = block.rows(np.array(many))

        def rank_on_host(number: int) -> np.ndarray:
            return match_positions(distances[number], matches[many[number]], junk[many[number]])

        for row, found in zip(many, run_on_threads(rank_on_host, range(len(many)))):
            positions[row] = found
    return positions


def _padded(indices: Sequence[np.ndarray]) -> np.ndarray:
    """Put index arrays of any lengths into the rows of one array, followed by zeros."""
    lengths = np.array([len(some) for some in indices])
    padded = np.zeros((len(indices), lengths.max(initial=0)), np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, np.newaxis]] = np.concatenate(indices)
    return padded
