"""Read MindSpore's ``.ckpt`` format and believe nothing in it.

MindSpore's own reader takes a tensor's shape as it is written, and reads memory beyond the data
where the shape says more; it also takes a file whose end is missing.
"""

from __future__ import annotations

import math
import zlib
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from mindspore.train.checkpoint_pb2 import Checkpoint

MARK = b"crc_num"
SUM_BYTES = 10
TEXT = "str"
TYPES = {
    "Int8": np.int8,
    "UInt8": np.uint8,
    "Int16": np.int16,
    "UInt16": np.uint16,
    "Int32": np.int32,
    "UInt32": np.uint32,
    "Int64": np.int64,
    "UInt64": np.uint64,
    "Float16": np.float16,
    "Float32": np.float32,
    "Float64": np.float64,
    "Bool": np.bool_,
}


class CkptContent(NamedTuple):
    """What a file holds.

    Attributes:
        entries: name -> array of its written shape, or text.
        is_checked: the file ends with a check sum, and it is right.
    """

    entries: dict[str, np.ndarray | str]
    is_checked: bool


def read_ckpt(path: Path) -> CkptContent:
    """Read a file; nothing in it is executed.

    Args:
        path: of the file.

    Returns:
        Its content.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged.
    """
    content, written = _read_parts(path)
    if written is not None and zlib.crc32(content) != written:
        raise ValueError("its check sum is wrong")
    message = Checkpoint()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise ValueError("it is not in MindSpore's format") from error
    del content
    entries: dict[str, np.ndarray | str] = {}
    # A large tensor is written in parts of one name.
    for name, parts in groupby(message.value, key=lambda value: value.tag):
        if name in entries:
            raise ValueError(f"it holds {name!r} twice")
        entries[name] = _decode(name, [part.tensor for part in parts])
    return CkptContent(entries, written is not None)


def _read_parts(path: Path) -> tuple[bytes, int | None]:
    """Read the entries and the check sum, if there is one, without copying the entries."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        end = max(size - len(MARK) - SUM_BYTES, 0)
        file.seek(end)
        tail = file.read()
        is_checked = len(tail) == len(MARK) + SUM_BYTES and tail.startswith(MARK)
        file.seek(0)
        content = file.read(end if is_checked else size)
    return content, int.from_bytes(tail[len(MARK) :], "big") if is_checked else None


def _decode(name: str, parts: list) -> np.ndarray | str:
    kind, dims = parts[0].tensor_type, tuple(parts[0].dims)
    data = parts[0].tensor_content if len(parts) == 1 else b"".join(p.tensor_content for p in parts)
    if kind == TEXT:
        return data.decode("utf-32-le").rstrip("\0")
    if kind not in TYPES:
        raise ValueError(f"{name!r} is of the unknown type {kind!r}")
    # Some versions of MindSpore write a scalar's shape as [0].
    shape = () if dims == (0,) and data else dims
    dtype = np.dtype(TYPES[kind])
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name!r} of shape {shape} does not fit its {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)
