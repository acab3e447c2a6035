"""Products of large matrices on the CPU, by the better BLAS that is loaded."""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache

import numpy as np

from .blas_kernels import best_kernels, loaded_kernels
from .openblas import OpenBlas, layout
from .threads import run_on_threads

_TYPES = (np.dtype(np.float32), np.dtype(np.float64))
# Products with fewer multiplications than this take no time; OpenBLAS computes them on one thread.
_FEWEST = 2**18
# Rows and columns of a tile. Larger ones are not faster, and leave cores idle at the end.
TILE = (1024, 1024)


def matmul(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply two matrices.

    All large products on the CPU go through this function. It takes the OpenBLAS of NumPy, or that
    of SciPy if its kernels have wider vectors (see `best_kernels`): NumPy 1.26 has a version that
    does not know processors of 2023 and later. The product is computed in tiles, each one on one
    thread, so that its bits do not depend on the number of threads. OpenBLAS's own threads would
    also take the processor from others while they wait. Transposed matrices are not copied.

    Args:
        first: (M, K).
        second: (K, N).

    Returns:
        (M, N), new, in C order, of NumPy's common type.

    Raises:
        ValueError: these are not two matrices, or the lengths K differ.

    Examples:
        >>> import numpy as np
        >>> from fastreid.utils.processor.products import matmul
        >>> matmul(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32).T).shape
        (2, 4)
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[0]:
        raise ValueError(
            f"A product needs matrices (M, K) and (K, N), not {first.shape} and {second.shape}."
        )
    rows, inner, columns = *first.shape, second.shape[1]
    if min(rows, columns) == 1:
        return _multiply_by_vector(first, second)
    library = best_library() if rows * inner * columns >= _FEWEST else None
    if library is None or first.dtype != second.dtype or first.dtype not in _TYPES:
        return np.ascontiguousarray(np.matmul(first, second))
    return multiply_in_tiles(library, first, second)


@lru_cache(maxsize=1)
def best_library() -> OpenBlas | None:
    """Return the OpenBLAS with the better kernels; None if the best BLAS is not OpenBLAS."""
    try:
        return OpenBlas(best_kernels(*loaded_kernels()).package)
    except OSError:
        return None


@lru_cache(maxsize=1)
def _library_of_numpy() -> OpenBlas | None:
    try:
        return OpenBlas("numpy")
    except OSError:
        return None


def _multiply_by_vector(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply matrices of which one is a single row or column, by NumPy.

    No kernel is faster, because such a product only reads the matrix, which tiles would copy.
    OpenBLAS divides even small ones among its threads, and then adds in another order.
    """
    length = max(len(first), second.shape[1])
    pieces = [slice(start, start + TILE[0]) for start in range(0, length, TILE[0])]

    def multiply(piece: slice) -> np.ndarray:
        if second.shape[1] == 1:
            return np.matmul(first[piece], second)
        return np.matmul(first, second[:, piece])

    library = _library_of_numpy()
    with library.on_one_thread() if library else nullcontext():
        products = run_on_threads(multiply, pieces)
    return np.ascontiguousarray(np.concatenate(products, axis=int(second.shape[1] != 1)))


def multiply_in_tiles(library: OpenBlas, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply two matrices on all cores, each tile of the product on one.

    Args:
        library: computes the tiles.
        first: (M, K), float32 or float64.
        second: (K, N), of the same type.

    Returns:
        (M, N), new, in C order.
    """
    first, second = (
        matrix if layout(matrix) else np.ascontiguousarray(matrix) for matrix in (first, second)
    )
    product = np.empty((len(first), second.shape[1]), first.dtype)

    def multiply(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        library.multiply(first[rows], second[:, columns], product[rows, columns])

    with library.on_one_thread():
        run_on_threads(multiply, _tiles(*product.shape))
    return product


def _tiles(num_rows: int, num_columns: int) -> list[tuple[slice, slice]]:
    height, width = TILE
    return [
        (slice(row, row + height), slice(column, column + width))
        for column in range(0, num_columns, width)
        for row in range(0, num_rows, height)
    ]
