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

_MARK = b"crc_num"
_SUM_BYTES = 10
_TEXT = "str"
_DTYPES = {
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
    content = path.read_bytes()
    end = len(content) - len(_MARK) - _SUM_BYTES
    is_checked = end >= 0 and content[end : end + len(_MARK)] == _MARK
    if is_checked:
        written = int.from_bytes(content[-_SUM_BYTES:], "big")
        content = content[:end]
        if zlib.crc32(content) != written:
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
    return CkptContent(entries, is_checked)


def _decode(name: str, parts: list) -> np.ndarray | str:
    kind, dims = parts[0].tensor_type, tuple(parts[0].dims)
    data = parts[0].tensor_content if len(parts) == 1 else b"".join(p.tensor_content for p in parts)
    if kind == _TEXT:
        return data.decode("utf-32-le").rstrip("\0")
    if kind not in _DTYPES:
        raise ValueError(f"{name!r} is of the unknown type {kind!r}")
    # MindSpore writes a scalar's shape as [0].
    shape = () if dims == (0,) else dims
    dtype = np.dtype(_DTYPES[kind])
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name!r} of shape {shape} does not fit its {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)
