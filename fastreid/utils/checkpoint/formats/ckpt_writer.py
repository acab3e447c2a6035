"""Write MindSpore's ``.ckpt`` format without the copies that MindSpore's own writer makes.

The format is protobuf: ``Checkpoint { repeated Value value = 1 }``, ``Value { string tag = 1;
Tensor tensor = 2 }``, ``Tensor { repeated int64 dims = 1; string tensor_type = 2; bytes
tensor_content = 3 }``, then a checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .ckpt_reader import MARK, SUM_BYTES, TEXT, TYPES

_NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}
# Protobuf tags: field 1 with a number, and fields 1, 2 and 3 with bytes.
_DIM, _FIRST, _SECOND, _THIRD = b"\x08", b"\x0a", b"\x12", b"\x1a"


def write_ckpt(path: Path, entries: Mapping[str, np.ndarray | str]) -> None:
    """Write a .ckpt file with a checksum.

    Args:
        path: the file; replaced if it exists.
        entries: arrays and texts by name.

    Raises:
        OSError: the file cannot be written.
        TypeError: the format does not support the type of an array.
    """
    check_sum = 0
    with path.open("wb") as file:
        for name, value in entries.items():
            for part in _encode(name, value):
                check_sum = zlib.crc32(part, check_sum)
                file.write(part)
        file.write(MARK + check_sum.to_bytes(SUM_BYTES, "big"))


def _encode(name: str, value: np.ndarray | str) -> tuple[bytes, bytes | memoryview]:
    """Encode an entry as a header and its content."""
    dims: tuple[int, ...] = (0,)
    content: bytes | memoryview
    if isinstance(value, str):
        kind, content = TEXT, value.encode("utf-32-le")
    elif value.dtype in _NAMES:
        kind, dims = _NAMES[value.dtype], value.shape
        content = np.ascontiguousarray(value).reshape(-1).data.cast("B")
    else:
        raise TypeError(f"{name} is of the type {value.dtype}, which a .ckpt file does not have.")
    size = len(content)
    shape = b"".join(_DIM + _varint(length) for length in dims)
    tensor = shape + _SECOND + _text(kind) + _THIRD + _varint(size)
    inner = _FIRST + _text(name) + _SECOND + _varint(len(tensor) + size) + tensor
    return _FIRST + _varint(len(inner) + size) + inner, content


def _text(text: str) -> bytes:
    data = text.encode()
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Encode a varint: seven bits per byte, lowest first; the top bit is set if more follow."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
