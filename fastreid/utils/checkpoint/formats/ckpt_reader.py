"""Read MindSpore's ``.ckpt`` format with validation.

MindSpore's own reader does not compare a tensor's shape with the size of its data, so that a wrong
shape makes it read memory beyond the data. It also accepts truncated files.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from mindspore.train.checkpoint_pb2 import Checkpoint

from .number_formats import widen_bfloat16

MARK = b"crc_num"
_ENTRY = b"\n"
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
_BFLOAT16 = "BFloat16"
# More than any network and its optimizer have. Each parsed entry takes kilobytes of memory.
MOST_ENTRIES = 100_000
# Prefixes that MindSpore's optimizers put before a parameter's name for their state of it.
_STATES = frozenset(
    (
        *("accum", "accum_update", "adam_m", "adam_v", "ax", "ax_", "exp_avg", "exp_avg_sq"),
        *("exp_inf", "lamb_m", "lamb_v", "linear", "max_exp_avg_sq", "mean_grad", "mean_square"),
        *("moment", "moment1", "moment2", "moments", "momentum_buf", "prev", "stat", "step_size"),
        "vhat",
    )
)
# Names of training values that MindSpore saves with the weights.
_BESIDE = re.compile(
    r"learning_rate(_group_\d+)?|weight_decay|momentum|beta[12]_power|global_step|scale_sense|"
    r"(current|last_overflow)_iterator_step|cov_step|afactor_step|epoch(_num)?|step(_num)?|lr|"
    r"loss(_scale)?|random_op|data_sink|best_\w+"
)


class CkptContent(NamedTuple):
    """Content of a .ckpt file.

    Attributes:
        entries: arrays and texts by name.
        is_checked: whether the file ends with a checksum, which is correct.
    """

    entries: dict[str, np.ndarray | str]
    is_checked: bool


def read_ckpt(path: Path) -> CkptContent:
    """Read a .ckpt file.

    Args:
        path: the file.

    Returns:
        Its content.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file is damaged.
    """
    content, written = _read_parts(path)
    if written is not None and zlib.crc32(content) != written:
        raise ValueError("its checksum is wrong")
    _require_few_entries(content)
    message = Checkpoint()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise ValueError("it is not in MindSpore's format") from error
    del content
    entries: dict[str, np.ndarray | str] = {}
    # A large tensor is split into consecutive entries of the same name.
    for name, parts in groupby(message.value, key=lambda value: value.tag):
        if name in entries:
            raise ValueError(f"it holds {name!r} twice")
        entries[name] = _decode(name, [part.tensor for part in parts])
    return CkptContent(entries, written is not None)


def plain_weights(entries: Mapping[str, np.ndarray | str]) -> dict[str, np.ndarray]:
    """Select the weights in a file of ``mindspore.save_checkpoint``.

    Args:
        entries: `CkptContent.entries` of the file.

    Returns:
        The arrays by MindSpore name, without the optimizer's state.
    """
    weights = {}
    for name, value in entries.items():
        owner, _, rest = name.partition(".")
        is_state = owner in _STATES and rest in entries
        if isinstance(value, np.ndarray) and not is_state and not _BESIDE.fullmatch(name):
            weights[name] = value
    return weights


def _read_parts(path: Path) -> tuple[bytes, int | None]:
    """Read the entries and the checksum, if there is one, without copying the entries."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        end = max(size - len(MARK) - SUM_BYTES, 0)
        file.seek(end)
        tail = file.read()
        is_checked = len(tail) == len(MARK) + SUM_BYTES and tail.startswith(MARK)
        file.seek(0)
        content = file.read(end if is_checked else size)
    return content, int.from_bytes(tail[len(MARK) :], "big") if is_checked else None


def _require_few_entries(content: bytes) -> None:
    """Count the entries before they are parsed; an entry is a tag, a length and its content."""
    place = count = 0
    while content[place : place + 1] == _ENTRY:
        length = index = 0
        # The length is a varint: seven bits per byte, at most ten bytes, the last one below 128.
        for index, byte in enumerate(content[place + 1 : place + 11]):
            length |= (byte & 127) << (7 * index)
            if byte < 128:
                break
        place, count = place + 2 + index + length, count + 1
        if count > MOST_ENTRIES:
            raise ValueError(f"it holds more than {MOST_ENTRIES:,} entries")


def _decode(name: str, parts: list) -> np.ndarray | str:
    kind, dims = parts[0].tensor_type, tuple(parts[0].dims)
    data = parts[0].tensor_content if len(parts) == 1 else b"".join(p.tensor_content for p in parts)
    if kind == TEXT:
        return data.decode("utf-32-le").rstrip("\0")
    if kind == _BFLOAT16:
        return widen_bfloat16(_shaped(name, data, "<u2", dims))
    if kind not in TYPES:
        raise ValueError(f"{name!r} is of the unknown type {kind!r}")
    return _shaped(name, data, TYPES[kind], dims)


def _shaped(name: str, data: bytes, kind: Any, dims: tuple[int, ...]) -> np.ndarray:
    # Some versions of MindSpore write a scalar's shape as [0].
    shape = () if dims == (0,) and data else dims
    dtype = np.dtype(kind)
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name!r} of shape {shape} does not fit its {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)
