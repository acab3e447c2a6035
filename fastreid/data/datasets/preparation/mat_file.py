"""Read variables of MATLAB 5 files, which are checked first.

SciPy's reader trusts the types and sizes in a file. In a damaged file they can end the process.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

_HEADER = 128
_MAGIC = b"MATLAB 5.0 MAT-file"
# The last two bytes of the header -> byte order.
_ORDERS = {b"IM": "<", b"MI": ">"}
_TAG = 8
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
# Type of an element -> bytes of a number.
_NUMBERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_TEXTS = (1, 2, 4, 16, 17, 18)
# Classes of arrays; 6 to 15 are numbers.
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMERIC = range(6, 16)
_IS_COMPLEX = 0x800
_MOST_AXES = 32
_DEEPEST = 20
# Enough for the header of an array, with its name.
_ENOUGH_FOR_NAME = 4096


class _Element(NamedTuple):
    kind: int
    start: int
    stop: int
    next: int


def read_mat(path: Path, names: Collection[str], **options: Any) -> dict[str, Any]:
    """Read variables of a MATLAB 5 file.

    Args:
        path: the file.
        names: the variables: cells, structs, texts and numbers.
        **options: arguments of ``scipy.io.loadmat``.

    Returns:
        The variables that the file has.

    Raises:
        ValueError: the file is damaged or of another version.
        OSError: the file cannot be read.
    """
    # Imported here: data workers import this package and do not need SciPy.
    from scipy import io

    content = path.read_bytes()
    _check(content, names)
    try:
        return io.loadmat(BytesIO(content), variable_names=list(names), **options)
    except (
        *(LookupError, NameError, TypeError, NotImplementedError, MemoryError),
        *(ArithmeticError, OSError, EOFError, zlib.error, io.matlab.MatReadError),
    ) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _check(content: bytes, names: Collection[str]) -> None:
    order = _ORDERS.get(content[_HEADER - 2 : _HEADER])
    if not content.startswith(_MAGIC) or order is None:
        raise ValueError(f"it does not start with the header {_MAGIC.decode()!r}")
    at = _HEADER
    while at < len(content):
        tag = content[at : at + _TAG].ljust(_TAG, b"\0")
        kind, size = struct.unpack(f"{order}II", tag)
        start, at = at + _TAG, at + _TAG + size
        if kind not in (_MATRIX, _COMPRESSED) or at > len(content):
            raise ValueError(f"the variable at byte {start - _TAG} has a wrong type or size")
        data = content[start:at]
        is_packed = kind == _COMPRESSED
        array = _Array(_unpacked(data, order, _ENOUGH_FOR_NAME) if is_packed else data, order)
        if array.name() in names:
            whole = _Array(_unpacked(data, order), order) if is_packed else array
            whole.check(0, len(whole.data))


def _unpacked(data: bytes, order: str, most: int = 0) -> bytes:
    """Unpack a variable, or at most some of its bytes, and remove its tag."""
    try:
        content = zlib.decompressobj().decompress(data, most) if most else zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"a variable cannot be unpacked ({error})") from error
    kind, size = struct.unpack_from(f"{order}II", content.ljust(_TAG, b"\0"))
    if kind != _MATRIX or (not most and size != len(content) - _TAG):
        raise ValueError("an unpacked variable has a wrong type or size")
    return content[_TAG:]


class _Array:
    """The content of a variable, which is an array."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data = data
        self._order = order

    def name(self) -> str:
        return self._head(0, len(self.data))[2]

    def check(self, start: int, stop: int, depth: int = 0) -> None:
        """Check an array, with the arrays in it, between two positions."""
        flags, count, _, at = self._head(start, stop)
        kind = flags & 0xFF
        if depth > _DEEPEST:
            raise ValueError("cells or structs are nested too deeply")
        if kind == _CELL:
            self._check_members(count, at, stop, depth)
        elif kind == _STRUCT:
            length = self._element(at, stop, _INT32)
            fields = self._element(length.next, stop, _INT8)
            (width,) = self._integers(length) or (0,)
            if width < 1:
                raise ValueError("a struct has field names without characters")
            num_fields = (fields.stop - fields.start) // width
            self._check_members(count * num_fields, fields.next, stop, depth)
        elif kind == _CHAR or kind in _NUMERIC:
            for _ in range(2 if flags & _IS_COMPLEX else 1):
                at = self._check_values(count, at, stop, is_text=kind == _CHAR)
        else:
            raise ValueError(f"an array has the unknown class {kind}")

    def _check_members(self, count: int, at: int, stop: int, depth: int) -> None:
        for _ in range(count):
            member = self._element(at, stop, _MATRIX)
            if member.stop > member.start:
                self.check(member.start, member.stop, depth + 1)
            at = member.next

    def _check_values(self, count: int, at: int, stop: int, *, is_text: bool) -> int:
        found = self._element(at, stop)
        size = found.stop - found.start
        if is_text:
            is_right = found.kind in _TEXTS and size >= count
        else:
            is_right = size == count * _NUMBERS.get(found.kind, -1)
        if not is_right:
            raise ValueError(f"an array of {count} values has {size} bytes of type {found.kind}")
        return found.next

    def _head(self, start: int, stop: int) -> tuple[int, int, str, int]:
        """Flags, number of values and name of an array, and the position after them."""
        flags = self._element(start, stop, _UINT32)
        axes = self._element(flags.next, stop, _INT32)
        name = self._element(axes.next, stop, _INT8)
        shape = self._integers(axes)
        if flags.stop - flags.start != _TAG or not 2 <= len(shape) <= _MOST_AXES or min(shape) < 0:
            raise ValueError("an array has no flags or no shape")
        text = self.data[name.start : name.stop].decode("latin-1").rstrip("\0")
        return self._integers(flags)[0], math.prod(shape), text, name.next

    def _integers(self, found: _Element) -> tuple[int, ...]:
        count = (found.stop - found.start) // 4
        return struct.unpack_from(f"{self._order}{count}i", self.data, found.start)

    def _element(self, at: int, stop: int, kind: int = 0) -> _Element:
        """Find the data of the element at a position; a `kind` is the type that it must have."""
        if at + _TAG > stop:
            raise ValueError("the file ends within an array")
        found, size = struct.unpack_from(f"{self._order}II", self.data, at)
        if found >> 16:
            # The short form: size, type and at most four bytes of data.
            found, size, start, end = found & 0xFFFF, found >> 16, at + _TAG // 2, at + _TAG
        else:
            start = at + _TAG
            end = start + size if found == _MATRIX else start + -(-size // _TAG) * _TAG
        if start + size > min(end, stop) or (kind and found != kind):
            raise ValueError(f"the element of type {found} at byte {at} has a wrong type or size")
        return _Element(found, start, start + size, end)
