"""Write cell arrays into MATLAB 7.3 files, which are HDF5 files with a header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_USER_BLOCK = 512
_HEADER = b"MATLAB 7.3 MAT-file, written by fastreid"
_VERSION = b"\x00\x02IM"


class Mat73Writer:
    """Writer of a MATLAB 7.3 file; a context manager.

    MATLAB stores arrays in column-major order, so HDF5 has their axes in reverse order. A cell
    array is an array of references to members of the group "#refs#".

    Args:
        h5py: the module h5py.
        path: path of the file.
    """

    def __init__(self, h5py: ModuleType, path: Path) -> None:
        self._h5py = h5py
        self._path = path
        self._file = h5py.File(path, "w", userblock_size=_USER_BLOCK)
        self._members = self._file.create_group("#refs#")

    def __enter__(self) -> Mat73Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with self._path.open("r+b") as file:
            file.write(_HEADER.ljust(116) + bytes(8) + _VERSION)

    def array(self, values: np.ndarray | None) -> Any:
        """Store an array.

        Args:
            values: numeric array with at least two axes; None: MATLAB's empty matrix.

        Returns:
            Reference to the stored array.
        """
        if values is None:
            # For an empty matrix, MATLAB stores its shape instead of its content.
            empty = self._store(np.zeros(2, np.uint64), "double")
            empty.attrs["MATLAB_empty"] = np.uint8(1)
            return empty.ref
        return self._store(values.T, "uint8" if values.dtype == np.uint8 else "double").ref

    def cell(self, rows: Sequence[Sequence[np.ndarray | None]]) -> Any:
        """Store a cell array of arrays.

        Args:
            rows: rows of equal length.

        Returns:
            Reference to the stored cell array.
        """
        return self._store(self.refer([[self.array(value) for value in row] for row in rows])).ref

    def refer(self, rows: Sequence[Sequence]) -> np.ndarray:
        """Arrange references in the axis order of HDF5.

        Args:
            rows: R rows of C references.

        Returns:
            (C, R) array.
        """
        references = np.empty((len(rows[0]), len(rows)), dtype=self._h5py.ref_dtype)
        for index, row in enumerate(rows):
            references[:, index] = row
        return references

    def save(self, name: str, references: np.ndarray) -> None:
        """Save a variable that is a cell array.

        Args:
            name: name of the variable.
            references: result of ``refer``.
        """
        self._mark(self._file.create_dataset(name, data=references), "cell")

    def _store(self, values: np.ndarray, kind: str = "cell") -> Any:
        name = f"{len(self._members):06d}"
        # Only pictures are worth compressing.
        options = {"compression": "gzip", "compression_opts": 1} if values.ndim == 3 else {}
        return self._mark(self._members.create_dataset(name, data=values, **options), kind)

    def _mark(self, stored: Any, kind: str) -> Any:
        stored.attrs["MATLAB_class"] = np.bytes_(kind)
        return stored
