"""The copies of OpenBLAS that NumPy and SciPy load, called through ctypes."""

from __future__ import annotations

import ctypes
import importlib
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# A module of each package that is linked to its BLAS.
MODULES = {"numpy": "numpy.linalg.lapack_lite", "scipy": "scipy.linalg.cython_blas"}
# Names of OpenBLAS's functions have a prefix in newer packages, and a suffix if its integers have
# 64 bits.
_PREFIXES, _SUFFIXES = ("", "scipy_"), {"": ctypes.c_int32, "64_": ctypes.c_int64}
_ROW_MAJOR, _AS_IS, _TRANSPOSED = 101, 111, 112
# Letter in the function's name, and type of a scalar.
_KINDS: dict[np.dtype, tuple[str, Any]] = {
    np.dtype(np.float32): ("s", ctypes.c_float),
    np.dtype(np.float64): ("d", ctypes.c_double),
}


class _OneThread:
    """Who needs a library on one thread, and how many threads it had before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.callers = 0
        self.threads_before = 1


# Address of a library's function -> its state, because several objects may call one library.
_ONE_THREAD: dict[int | None, _OneThread] = {}


class OpenBlas:
    """One loaded copy of OpenBLAS.

    Args:
        package: "numpy" or "scipy".

    Raises:
        OSError: the package's BLAS cannot be called, because it is not OpenBLAS.
    """

    def __init__(self, package: str) -> None:
        try:
            self._library = ctypes.CDLL(importlib.import_module(MODULES[package]).__file__)
        except (ImportError, TypeError) as error:
            raise OSError(f"The BLAS of {package} cannot be loaded: {error}") from error
        self._integer: Any = None
        for prefix, suffix in itertools.product(_PREFIXES, _SUFFIXES):
            if hasattr(self._library, f"{prefix}openblas_get_config{suffix}"):
                self._prefix, self._suffix = prefix, suffix
                self._integer = _SUFFIXES[suffix]
        if self._integer is None:
            raise OSError(f"The BLAS of {package} is not OpenBLAS.")
        setter = self._function("openblas_set_num_threads", None)
        address = ctypes.cast(setter, ctypes.c_void_p).value
        # Atomic, so that threads that load a library at once share the state too.
        self._one_thread = _ONE_THREAD.setdefault(address, _OneThread())

    def text(self, name: str) -> str:
        """Call a function without arguments that returns a text.

        Args:
            name: name of the function, for example "openblas_get_corename".
        """
        return (self._function(name, ctypes.c_char_p)() or b"").decode("ascii", "replace")

    @property
    def num_threads(self) -> int:
        """Number of threads on which the library computes one product."""
        return self._function("openblas_get_num_threads", ctypes.c_int)()

    @num_threads.setter
    def num_threads(self, number: int) -> None:
        self._function("openblas_set_num_threads", None)(number)

    def multiply(self, first: np.ndarray, second: np.ndarray, out: np.ndarray) -> None:
        """Multiply two matrices; several threads may do so at once.

        Args:
            first: (M, K) float32 or float64, with a `layout`.
            second: (K, N), of the same type, with a `layout`.
            out: (M, N), of the same type, receives the product; its rows must be contiguous.
        """
        letter, scalar = _KINDS[first.dtype]
        integer, sides, sizes = self._integer, [], (*first.shape, second.shape[1])
        for matrix in (first, second):
            is_turned, line = layout(matrix) or (False, 0)
            pointer = matrix.ctypes.data_as(ctypes.c_void_p)
            sides.append((_TRANSPOSED if is_turned else _AS_IS, pointer, integer(line)))
        (turn_first, *left), (turn_second, *right) = sides
        rows, inner, columns = (integer(size) for size in sizes)
        target = (out.ctypes.data_as(ctypes.c_void_p), integer(out.strides[0] // out.itemsize))
        gemm = self._function(f"cblas_{letter}gemm", None)
        order = (_ROW_MAJOR, turn_first, turn_second)
        gemm(*order, rows, columns, inner, scalar(1), *left, *right, scalar(0), *target)

    @contextmanager
    def on_one_thread(self) -> Iterator[None]:
        """Let each call of the library use its caller's thread only, while the block runs."""
        state = self._one_thread
        with state.lock:
            if not state.callers:
                state.threads_before = self.num_threads
                self.num_threads = 1
            state.callers += 1
        try:
            yield
        finally:
            with state.lock:
                state.callers -= 1
                if not state.callers:
                    self.num_threads = state.threads_before

    def _function(self, name: str, result: Any) -> Any:
        function = self._library[f"{self._prefix}{name}{self._suffix}"]
        function.restype = result
        return function


def layout(matrix: np.ndarray) -> tuple[bool, int] | None:
    """Find out how BLAS reads a matrix: contiguous matrices, their slices and transposes.

    Args:
        matrix: (M, N).

    Returns:
        Whether the matrix is the transpose of one with contiguous rows, and the distance of two
        such rows, in elements. None if neither rows nor columns are contiguous.
    """
    size, (height, width), (row, column) = matrix.itemsize, matrix.shape, matrix.strides
    if column == size and (row >= size * width or height == 1):
        return False, max(row // size, width)
    if row == size and (column >= size * height or width == 1):
        return True, max(column // size, height)
    return None
