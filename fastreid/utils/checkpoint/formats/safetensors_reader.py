"""Read safetensors files; bfloat16, which NumPy does not have, is converted to float32."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, deserialize

from .number_formats import widen_bfloat16

_BFLOAT16 = "BF16"
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    _BFLOAT16: "<u2",
    "I64": "<i8",
    "U64": "<u8",
    "I32": "<i4",
    "U32": "<u4",
    "I16": "<i2",
    "U16": "<u2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


class SafetensorsContent(NamedTuple):
    """Content of a safetensors file.

    Attributes:
        weights: read-only arrays by name, sorted by name.
        unreadable: descriptions of the tensors whose type is not supported, by name.
    """

    weights: dict[str, np.ndarray]
    unreadable: dict[str, str]


def read_safetensors(path: Path) -> SafetensorsContent:
    """Read a safetensors file.

    Args:
        path: the file.

    Returns:
        Its tensors; bfloat16 is converted to float32.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        parts = deserialize(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as safetensors: {error}. Copy or download it again."
        ) from error
    weights: dict[str, np.ndarray] = {}
    unreadable: dict[str, str] = {}
    # `deserialize` returns them in random order.
    for name, part in sorted(parts, key=lambda part: part[0]):
        kind = _TYPES.get(part["dtype"])
        if kind is not None:
            array = np.frombuffer(part["data"], kind).reshape(part["shape"])
            array.flags.writeable = False
            weights[name] = widen_bfloat16(array) if part["dtype"] == _BFLOAT16 else array
        else:
            unreadable[name] = f"a tensor of the type {part['dtype']}"
    return SafetensorsContent(weights, unreadable)
