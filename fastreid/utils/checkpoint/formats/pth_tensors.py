"""Tensors of PyTorch and arrays of NumPy in a pickle, before and after their data are read."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .number_formats import widen_bfloat16

BFLOAT16 = "bfloat16"
# Storage class -> type of its numbers as NumPy writes it, "" where no weight has it, and bytes.
STORAGES = {
    "DoubleStorage": ("<f8", 8),
    "FloatStorage": ("<f4", 4),
    "HalfStorage": ("<f2", 2),
    "BFloat16Storage": (BFLOAT16, 2),
    "LongStorage": ("<i8", 8),
    "IntStorage": ("<i4", 4),
    "ShortStorage": ("<i2", 2),
    "CharStorage": ("i1", 1),
    "ByteStorage": ("u1", 1),
    "BoolStorage": ("?", 1),
    "UntypedStorage": ("u1", 1),
    "ComplexFloatStorage": ("", 8),
    "ComplexDoubleStorage": ("", 16),
    "QInt8Storage": ("", 1),
    "QUInt8Storage": ("", 1),
    "QInt32Storage": ("", 4),
    "QUInt4x2Storage": ("", 1),
    "QUInt2x4Storage": ("", 1),
}


class UnreadableTensorError(ValueError):
    """One tensor has no array; the text says what it is."""


class StorageType(NamedTuple):
    """Type of the numbers in a storage: as NumPy writes it, "" if it has none, and their bytes."""

    dtype: str
    item_size: int
    name: str


class Storage:
    """The flat data behind one or more tensors; filled after the pickle was read."""

    def __init__(self, kind: StorageType) -> None:
        self.kind = kind
        self._data = b""
        self._values: dict[str, np.ndarray] = {}

    def fill(self, data: bytes) -> None:
        """Take the raw bytes."""
        self._data = data
        self._values = {}

    def values(self, dtype: str) -> np.ndarray:
        """View the numbers as one type; a bfloat16 becomes a float32.

        Raises:
            UnreadableTensorError: the bytes are no whole number of them.
        """
        if dtype not in self._values:
            kind = "<u2" if dtype == BFLOAT16 else dtype
            if len(self._data) % np.dtype(kind).itemsize:
                raise UnreadableTensorError("its data are cut off")
            values = np.frombuffer(self._data, kind)
            if dtype == BFLOAT16:
                values = widen_bfloat16(values)
            self._values[dtype] = values
        return self._values[dtype]


class TensorView(NamedTuple):
    """A tensor whose storage may not be there yet; sizes, strides and offset in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str

    def to_array(self) -> np.ndarray:
        """View the tensor in its storage; nothing is copied, and the array cannot be written to.

        Raises:
            UnreadableTensorError: no weight has its type, or it lies outside its data.
        """
        if not self.dtype:
            raise UnreadableTensorError(f"a tensor of the type {self.storage.kind.name}")
        values = self.storage.values(self.dtype)
        last = sum((length - 1) * step for length, step in zip(self.size, self.stride))
        end = self.offset + last + 1 if all(self.size) else self.offset
        outside = self.offset < 0 or min(self.stride, default=0) < 0 or end > values.size
        # Strides of zero would let a few bytes become any amount of memory.
        outside = outside or math.prod(self.size) > values.size
        if outside or min(self.size, default=0) < 0 or len(self.size) != len(self.stride):
            raise UnreadableTensorError("a tensor that lies outside its data")
        # A step along one element, or over none, may be any number.
        steps = [step if length > 1 else 0 for step, length in zip(self.stride, self.size)]
        strides = [step * values.itemsize for step in steps]
        if not all(self.size):
            return _empty(self.size, values.dtype)
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.size, strides, writeable=False
        )


def _empty(size: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    try:
        return np.empty(size, dtype)
    except ValueError as error:
        # Zero times a huge number.
        raise UnreadableTensorError("a tensor of an impossible shape") from error


class LatinText:
    """Bytes that protocols 0 to 2 write as text; made once, and only where they are needed."""

    __slots__ = ("_bytes", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes: bytes | None = None

    def to_bytes(self) -> bytes:
        """Make the bytes."""
        if self._bytes is None:
            self._bytes = self.text.encode("latin1")
        return self._bytes


class NumpyType:
    """Stands for ``numpy.dtype``; `code` is "" for what is no plain number."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code

    def set_state(self, state: Any) -> None:
        """Take the byte order; nothing else may be set."""
        if self.code and isinstance(state, tuple) and len(state) > 1 and state[1] in (">", "<"):
            self.code = state[1] + self.code[-2:]


class NumpyArray:
    """Stands for ``numpy.ndarray``, of which the content comes later."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple | None = None) -> None:
        self.parts = parts

    def set_state(self, state: Any) -> None:
        """Take (version, shape, type, whether in Fortran's order, data)."""
        if isinstance(state, tuple) and len(state) == 5:
            self.parts = (state[4], state[2], state[1], "F" if state[3] else "C")

    def to_array(self) -> np.ndarray:
        """View the array in its bytes.

        Raises:
            UnreadableTensorError: it is no array of plain numbers, or does not fit its bytes.
        """
        data, kind, shape, order = self.parts or (None, None, None, None)
        is_plain = isinstance(kind, NumpyType) and kind.code and isinstance(shape, tuple)
        is_plain = is_plain and isinstance(data, (bytes, bytearray, LatinText))
        if not (is_plain and order in ("C", "F")):
            raise UnreadableTensorError("a NumPy array of objects or of an unusual type")
        try:
            data = data.to_bytes() if isinstance(data, LatinText) else data
            array = np.frombuffer(data, kind.code).reshape(shape, order=order)
        except (ValueError, TypeError, UnicodeEncodeError) as error:
            raise UnreadableTensorError(
                f"a NumPy array that does not fit its data ({error})"
            ) from error
        array.flags.writeable = False
        return array
