"""Read safetensors, with the types that NumPy does not have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize

from ..recognition.candidates import Candidate, is_weight_name
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


def read_safetensors(path: Path) -> Candidate:
    """Read a file of safetensors.

    Args:
        path: of the file.

    Returns:
        Its tensors, under their names in the file, in the order of the names; a bfloat16 becomes a
        float32.

    Raises:
        ValueError: it is damaged.
    """
    try:
        parts = deserialize(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as safetensors: {error}. Copy or download it again."
        ) from error
    weights: dict[str, np.ndarray] = {}
    unreadable: dict[str, str] = {}
    # They come in another order every time.
    for name, part in sorted(parts, key=lambda part: part[0]):
        kind = _TYPES.get(part["dtype"])
        if kind is not None:
            array = np.frombuffer(part["data"], kind).reshape(part["shape"])
            array.flags.writeable = False
            weights[name] = widen_bfloat16(array) if part["dtype"] == _BFLOAT16 else array
        elif is_weight_name(name):
            unreadable[name] = f"a tensor of the type {part['dtype']}"
    return Candidate("", weights, unreadable)
