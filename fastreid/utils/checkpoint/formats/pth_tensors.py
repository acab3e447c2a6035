"""Stand-ins for PyTorch tensors and NumPy arrays in a pickle, which convert to NumPy arrays."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .number_formats import widen_bfloat16

BFLOAT16 = "bfloat16"
# NumPy type and element size in bytes of each storage class; "" for types that are not supported.
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
    """A tensor cannot be converted to an array; the message describes the tensor."""


class StorageType(NamedTuple):
    """Element type of a storage.

    Attributes:
        dtype: NumPy type, "" if not supported.
        item_size: bytes per element.
        name: name of PyTorch's storage class.
    """

    dtype: str
    item_size: int
    name: str


class Storage:
    """The flat data of one or more tensors; filled after the pickle has been read."""

    def __init__(self, kind: StorageType) -> None:
        self.kind = kind
        self._data = b""
        self._values: dict[str, np.ndarray] = {}

    def fill(self, data: bytes) -> None:
        """Set the raw bytes."""
        self._data = data
        self._values = {}

    def values(self, dtype: str) -> np.ndarray:
        """Return the data as numbers of a type; bfloat16 is converted to float32.

        Raises:
            UnreadableTensorError: the size of the data is not a multiple of the element size.
        """
        if dtype not in self._values:
            kind = "<u2" if dtype == BFLOAT16 else dtype
            if len(self._data) % np.dtype(kind).itemsize:
                raise UnreadableTensorError("a tensor with truncated data")
            values = np.frombuffer(self._data, kind)
            if dtype == BFLOAT16:
                values = widen_bfloat16(values)
            self._values[dtype] = values
        return self._values[dtype]


class TensorView(NamedTuple):
    """A tensor as a view of a storage; size, stride and offset are in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str

    def to_array(self) -> np.ndarray:
        """Return the tensor as a read-only view of its storage.

        Raises:
            UnreadableTensorError: the type is not supported, or the view exceeds the storage.
        """
        if not self.dtype:
            raise UnreadableTensorError(f"a tensor of the type {self.storage.kind.name}")
        values = self.storage.values(self.dtype)
        last = sum((length - 1) * step for length, step in zip(self.size, self.stride))
        end = self.offset + last + 1 if all(self.size) else self.offset
        outside = self.offset < 0 or min(self.stride, default=0) < 0 or end > values.size
        # With strides of zero, a few bytes could become an array of any size.
        outside = outside or math.prod(self.size) > values.size
        if outside or min(self.size, default=0) < 0 or len(self.size) != len(self.stride):
            raise UnreadableTensorError("a tensor that exceeds its data")
        # The stride of a dimension of length 0 or 1 has no meaning and may be any number.
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
        # One dimension is zero and another one too large.
        raise UnreadableTensorError("a tensor of an impossible shape") from error


class LatinText:
    """Bytes that pickle protocols 0 to 2 store as text; converted once, when they are needed."""

    __slots__ = ("_bytes", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the bytes."""
        if self._bytes is None:
            self._bytes = self.text.encode("latin1")
        return self._bytes


class NumpyType:
    """Stand-in for ``numpy.dtype``; `code` is "" for anything but plain numbers."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code

    def set_state(self, state: Any) -> None:
        """Set the byte order; the rest of the state is ignored."""
        if self.code and isinstance(state, tuple) and len(state) > 1 and state[1] in (">", "<"):
            self.code = state[1] + self.code[-2:]


class NumpyArray:
    """Stand-in for ``numpy.ndarray``, whose content is set after its creation."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple | None = None) -> None:
        self.parts = parts

    def set_state(self, state: Any) -> None:
        """Set the content: (version, shape, dtype, is_fortran, data)."""
        if isinstance(state, tuple) and len(state) == 5:
            self.parts = (state[4], state[2], state[1], "F" if state[3] else "C")

    def to_array(self) -> np.ndarray:
        """Return the array as a read-only view of its bytes.

        Raises:
            UnreadableTensorError: the elements are not plain numbers, or the shape does not match
                the size of the data.
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
                f"a NumPy array that does not match its data ({error})"
            ) from error
        array.flags.writeable = False
        return array
