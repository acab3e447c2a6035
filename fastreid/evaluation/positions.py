"""Positions of the matches in a ranking, without sorting the gallery.

The position of a match is the number of gallery images with a smaller distance. Counting them is
exact and many times faster than sorting.
"""

from __future__ import annotations

import numpy as np

# With more matches than this, sorting all distances is faster than counting for each match.
MOST_COUNTED = 200
# If this fraction of the gallery, or less, is as near as the last match, that part is sorted.
MOST_SORTED = 1 / 16


def match_positions(dist: np.ndarray, matches: np.ndarray, junk: np.ndarray) -> np.ndarray:
    """Find the positions of the matches in a ranking by a stable sort.

    Args:
        dist: (G,) distances of one query.
        matches: (M,) gallery indices of the matches, ascending.
        junk: (J,) gallery indices of the ignored images.

    Returns:
        (M,) positions, from 0, ascending.

    Examples:
        >>> import numpy as np
        >>> from fastreid.evaluation.positions import match_positions
        >>> dist = np.array([0.5, 0.1, 0.3, 0.2])
        >>> match_positions(dist, matches=np.array([0, 2]), junk=np.array([1])).tolist()
        [1, 2]
    """
    own = dist[matches]
    near = dist <= own.max()
    if np.count_nonzero(near) <= MOST_SORTED * len(dist):
        positions = _positions_by_sorting(dist[near], dist, matches)
    elif len(matches) > MOST_COUNTED:
        positions = _positions_by_sorting(dist, dist, matches)
    else:
        positions = np.array([_position(dist, match) for match in matches])
    return without_junk(positions, own, matches, dist[junk], junk)


def without_junk(
    positions: np.ndarray,
    own: np.ndarray,
    matches: np.ndarray,
    out: np.ndarray,
    junk: np.ndarray,
) -> np.ndarray:
    """Correct the positions of the matches for ignored images before them.

    Args:
        positions: (M,) positions among all images.
        own: (M,) distances of the matches.
        matches: (M,) gallery indices of the matches.
        out: (J,) distances of the ignored images.
        junk: (J,) gallery indices of the ignored images.

    Returns:
        (M,) positions among the other images, ascending.
    """
    own = own[:, np.newaxis]
    earlier = (out == own) & (junk < matches[:, np.newaxis])
    return np.sort(positions - np.count_nonzero((out < own) | earlier, axis=1))


def _position(dist: np.ndarray, match: int) -> int:
    own = dist[match]
    return np.count_nonzero(dist[:match] <= own) + np.count_nonzero(dist[match + 1 :] < own)


def _positions_by_sorting(
    candidates: np.ndarray, dist: np.ndarray, matches: np.ndarray
) -> np.ndarray:
    """Find positions by sorting the distances that are not above those of the matches."""
    ordered, own = np.sort(candidates), dist[matches]
    positions = np.searchsorted(ordered, own, side="left")
    num_equal = np.searchsorted(ordered, own, side="right") - positions
    for tied in np.flatnonzero(num_equal > 1):
        positions[tied] += np.count_nonzero(dist[: matches[tied]] == own[tied])
    return positions
