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
    """A MATLAB 7.3 file while it is written; a context manager.

    MATLAB stores arrays column by column, so HDF5 sees their axes in reverse order. A cell array
    is an array of references to members of the group "#refs#".

    Args:
        h5py: the module.
        path: of the file.
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
            values: numbers, at least two axes; None for MATLAB's empty matrix.

        Returns:
            Reference to it.
        """
        if values is None:
            # MATLAB stores the shape of an empty matrix instead of its content.
            empty = self._store(np.zeros(2, np.uint64), "double")
            empty.attrs["MATLAB_empty"] = np.uint8(1)
            return empty.ref
        return self._store(values.T, "uint8" if values.dtype == np.uint8 else "double").ref

    def cell(self, rows: Sequence[Sequence[np.ndarray | None]]) -> Any:
        """Store a cell array of arrays.

        Args:
            rows: of equal length.

        Returns:
            Reference to it.
        """
        return self._store(self.refer([[self.array(value) for value in row] for row in rows])).ref

    def refer(self, rows: Sequence[Sequence]) -> np.ndarray:
        """Put references into the order of HDF5.

        Args:
            rows: references, R rows of C.

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
            name: of the variable.
            references: from ``refer``.
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
