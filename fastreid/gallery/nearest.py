"""The nearest rows of a large matrix, exactly."""

from __future__ import annotations

import numpy as np

from fastreid.utils.processor import matmul

# Rows that are multiplied at once: 128 MB of 512-dimensional features.
_BLOCK = 65536


def nearest_rows(
    vectors: np.ndarray, queries: np.ndarray, top: int, *, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows with the largest inner products with each query; of equal ones the first.

    Args:
        vectors: (R, D) float32, also a memory map; read block by block.
        queries: (Q, D) float32.
        top: K, how many rows for a query.
        allowed: (A,) indices of the rows that are considered, ascending; None: all.

    Returns:
        (Q, k) indices of rows, k = min(K, number of rows), best first, and (Q, k) inner products.

    Examples:
        >>> import numpy as np
        >>> from fastreid.gallery.nearest import nearest_rows
        >>> vectors = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
        >>> rows, products = nearest_rows(vectors, np.array([[0, 1]], np.float32), top=2)
        >>> rows.tolist(), products.tolist()
        ([[1, 2]], [[1.0, 0.5]])
    """
    number = len(vectors) if allowed is None else len(allowed)
    best = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for start in range(0, number, _BLOCK):
        stop = min(start + _BLOCK, number)
        rows = np.arange(start, stop) if allowed is None else allowed[start:stop]
        block = vectors[start:stop] if allowed is None else vectors[rows]
        products = matmul(queries, np.asarray(block).T)
        chosen = _largest(products, top)
        best = np.concatenate([best, rows[chosen]], axis=1)
        scores = np.concatenate([scores, np.take_along_axis(products, chosen, axis=1)], axis=1)
        kept = _largest(scores, top)
        best = np.take_along_axis(best, kept, axis=1)
        scores = np.take_along_axis(scores, kept, axis=1)
    return best, scores


def _largest(values: np.ndarray, top: int) -> np.ndarray:
    """Return (Q, k) columns of the largest values, in descending order; equal ones by column."""
    columns = values.shape[1]
    if columns > 4 * top:
        limit = np.partition(values, columns - top, axis=1)[:, columns - top, None]
        # All values at the limit stay candidates, so that the first of equal ones is chosen.
        candidates = [np.flatnonzero(row >= low) for row, low in zip(values, limit)]
    else:
        candidates = [np.arange(columns)] * len(values)
    ordered = [
        which[np.argsort(-row[which], kind="stable")[:top]]
        for row, which in zip(values, candidates)
    ]
    return np.array(ordered, np.int64).reshape(len(values), min(top, columns))
