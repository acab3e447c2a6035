"""Write a PyTorch weights file in the zip layout, without PyTorch.

The file can be read with ``torch.load(path, weights_only=True)``.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ...atomic_file import replacing

# PyTorch's storage classes by NumPy type; other types cannot be written.
STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
_ROOT = "archive"
# Pickle opcodes, protocol 2.
_PROTO, _STOP, _MARK = b"\x80\x02", b".", b"("
_EMPTY_TUPLE, _TUPLE, _REDUCE = b")", b"t", b"R"
_PERSISTENT_ID, _SET_ITEMS, _FALSE = b"Q", b"u", b"\x89"


def write_pth(path: str | Path, weights: Mapping[str, np.ndarray], *, key: str = "") -> None:
    """Write a state dict atomically.

    Args:
        path: the file; its folder must exist.
        weights: arrays by PyTorch name.
        key: key of a dict that the state dict is stored under, such as "model" in fast-reid's
            checkpoints; "" writes the state dict itself.

    Raises:
        ValueError: PyTorch files do not support the type of an array.
    """
    arrays = {name: np.asarray(value, order="C") for name, value in weights.items()}
    for name, value in arrays.items():
        if value.dtype.name not in STORAGES:
            raise ValueError(f"{name} is {value.dtype}, which a PyTorch file cannot hold.")
    content = _ordered_dict(
        _text(name) + _tensor(str(index), value)
        for index, (name, value) in enumerate(arrays.items())
    )
    if key:
        content = _ordered_dict([_text(key) + content])
    with replacing(Path(path)) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(f"{_ROOT}/data.pkl", _PROTO + content + _STOP)
        archive.writestr(f"{_ROOT}/byteorder", "little")
        for index, value in enumerate(arrays.values()):
            little = value.astype(value.dtype.newbyteorder("<"), copy=False)
            archive.writestr(f"{_ROOT}/data/{index}", little.tobytes())
        archive.writestr(f"{_ROOT}/version", "3\n")


def _ordered_dict(items: Iterable[bytes]) -> bytes:
    """Pickle an OrderedDict of pickled items; each item is a key followed by its value."""
    return (
        _global("collections", "OrderedDict")
        + _EMPTY_TUPLE
        + _REDUCE
        + _MARK
        + b"".join(items)
        + _SET_ITEMS
    )


def _tensor(key: str, value: np.ndarray) -> bytes:
    """Pickle a tensor that covers the whole data entry `key`."""
    storage = _tuple(
        _text("storage"),
        _global("torch", STORAGES[value.dtype.name]),
        _text(key),
        _text("cpu"),
        _integer(value.size),
    )
    strides = [stride // value.itemsize for stride in value.strides]
    arguments = _tuple(
        storage + _PERSISTENT_ID,
        _integer(0),
        _tuple(*map(_integer, value.shape)),
        _tuple(*map(_integer, strides)),
        _FALSE,
        _ordered_dict(()),
    )
    return _global("torch._utils", "_rebuild_tensor_v2") + arguments + _REDUCE


def _tuple(*items: bytes) -> bytes:
    return _MARK + b"".join(items) + _TUPLE


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data
