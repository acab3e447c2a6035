"""Read a PyTorch weights file, in the zip or the older layout, without PyTorch.

Nothing in the file is executed: only the few classes that a weights file needs are known.
"""

from __future__ import annotations

import math
import os
import pickle
import re
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

# Where checkpoints keep the state dict.
_NESTED = ("model", "state_dict")
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_BFLOAT16 = "bfloat16"
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_ADVICE = (
    "It must be a file that torch.save wrote, holding a dict of tensors; download it again if it "
    "is damaged, or save only `model.state_dict()` into a new file."
)
# What the parts of a damaged file raise, one way or another.
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


def read_pth(path: str | Path) -> dict[str, Any]:
    """Read a file that ``torch.save`` wrote.

    Args:
        path: of the file.

    Returns:
        The saved dict, with every tensor as an array of its shape and type (bfloat16 as float32).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, is not PyTorch's, holds no dict, or holds objects that
            do not belong into a weights file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"The weights file {path} does not exist; check the path.")
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            content = _read_zip(file) if is_zip else _read_legacy(file)
        content = _resolve(content)
    except _DAMAGE as error:
        raise ValueError(f"{path} cannot be read as PyTorch weights: {error}. {_ADVICE}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a dict. {_ADVICE}")
    return content


def state_dict_of(content: Mapping[str, Any], path: str | Path) -> dict[str, np.ndarray]:
    """Take the model's weights out of what `read_pth` gave.

    Args:
        content: a state dict, or a checkpoint that has one under "model" or "state_dict".
        path: where it comes from, for the message.

    Returns:
        PyTorch name -> array.

    Raises:
        ValueError: if there are no weights, or something that is not a tensor is among them.
    """
    nested = [key for key in _NESTED if isinstance(content.get(key), Mapping)]
    weights = content[nested[0]] if nested else content
    if not weights:
        raise ValueError(f"{path} holds no model weights: it has {sorted(map(str, content))[:10]}.")
    strangers = [str(name) for name, value in weights.items() if not isinstance(value, np.ndarray)]
    if strangers:
        raise ValueError(
            f"{path} is not a state dict: {strangers[:5]} are not tensors. Save the model's "
            "state_dict() alone, or under the key 'model'."
        )
    return dict(weights)


class _StorageType(NamedTuple):
    dtype: str

    @property
    def item_size(self) -> int:
        return 2 if self.dtype == _BFLOAT16 else np.dtype(self.dtype).itemsize


class _Storage:
    """The flat data behind one or more tensors; filled after the pickle was read."""

    def __init__(self, kind: _StorageType) -> None:
        self.kind = kind
        self.values = np.empty(0)

    def fill(self, data: bytes) -> None:
        if self.kind.dtype == _BFLOAT16:
            # A bfloat16 is the upper half of a float32.
            halves = np.frombuffer(data, "<u2").astype("<u4")
            self.values = (halves << 16).view("<f4")
        else:
            self.values = np.frombuffer(data, self.kind.dtype)


class _TensorView(NamedTuple):
    """A tensor whose storage may not be there yet; sizes, strides and offset in elements."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def to_array(self) -> np.ndarray:
        values = self.storage.values
        last = sum((length - 1) * step for length, step in zip(self.size, self.stride))
        end = self.offset + last + 1 if all(self.size) else self.offset
        outside = self.offset < 0 or min(self.stride, default=0) < 0 or end > values.size
        # Strides of zero would let a few bytes become any amount of memory.
        outside = outside or math.prod(self.size) > values.size
        if outside or min(self.size, default=0) < 0 or len(self.size) != len(self.stride):
            raise pickle.UnpicklingError("a tensor lies outside its data")
        strides = [step * values.itemsize for step in self.stride]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides)
        return view.copy()


def _rebuild_tensor(
    storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> _TensorView:
    return _TensorView(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: _TensorView, *_: Any) -> _TensorView:
    return data


def _rebuild_device(*parts: Any) -> str:
    return ":".join(map(str, parts))


class _ScalarType:
    """Stands for ``numpy.dtype``, of which a file may set nothing but the kind and byte order."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch("[fiub][1248]", code):
            raise pickle.UnpicklingError(f"a NumPy scalar of type {code!r}")
        self.code = code

    def __setstate__(self, state: tuple) -> None:
        if state[1] in (">", "<"):
            self.code = state[1] + self.code


def _rebuild_scalar(kind: _ScalarType, data: bytes | str) -> Any:
    # Python 2 pickles give bytes as text.
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, kind.code, count=1)[0].item()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand for ``_codecs.encode``, which protocol 2 uses for bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


class _Call:
    """What a file may call; a pickle can change the attributes of what it gets, so not more."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


_ALLOWED: dict[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "device"): _rebuild_device,
    ("torch", "Size"): tuple,
    # Checkpoints of fast-reid keep the best metric as a NumPy scalar.
    ("numpy.core.multiarray", "scalar"): _rebuild_scalar,
    ("numpy._core.multiarray", "scalar"): _rebuild_scalar,
    ("numpy", "dtype"): _ScalarType,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file, encoding="latin1")
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is not allowed in a weights file"
            )
        return _Call(_ALLOWED[module, name])

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise pickle.UnpicklingError(f"an unknown reference {pid!r}")
        kind, key = pid[1], str(pid[2])
        if not isinstance(kind, _StorageType):
            raise pickle.UnpicklingError(f"data of an unknown type {kind!r}")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("views of data of the oldest layout are not supported")
        return self._storages.setdefault(key, _Storage(kind))


def _read_zip(file: BinaryIO) -> Any:
    storages: dict[str, _Storage] = {}
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.split("/")[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("it is a zip archive, but not one of torch.save")
        root = pickles[0][: -len("data.pkl")]
        if f"{root}byteorder" in archive.namelist():
            _require_little_endian(archive.read(f"{root}byteorder") == b"little")
        content = _Unpickler(BytesIO(_read_entry(archive, pickles[0])), storages).load()
        for key, storage in storages.items():
            storage.fill(_read_entry(archive, f"{root}data/{key}"))
    return content


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    # torch.save compresses nothing; a file that does may grow to any size.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError("its data are compressed, which torch.save does not do")
    return archive.read(name)


def _read_legacy(file: BinaryIO) -> Any:
    length = os.fstat(file.fileno()).st_size
    storages: dict[str, _Storage] = {}
    if _Unpickler(file, storages).load() != _MAGIC:
        raise ValueError("it does not begin like a file of torch.save")
    protocol = _Unpickler(file, storages).load()
    if protocol != _PROTOCOL:
        raise ValueError(f"its protocol is {protocol}, not {_PROTOCOL}")
    _require_little_endian(_Unpickler(file, storages).load().get("little_endian", True))
    content = _Unpickler(file, storages).load()
    for key in _Unpickler(file, storages).load():
        storage = storages[str(key)]
        (count,) = struct.unpack("<q", file.read(8))
        size = count * storage.kind.item_size
        if not 0 <= size <= length - file.tell():
            raise EOFError("it ends before its data do")
        storage.fill(file.read(size))
    return content


def _require_little_endian(little: bool) -> None:
    if not little:
        raise ValueError("it was written on a big-endian machine")


def _resolve(content: Any) -> Any:
    """Replace tensor views by arrays in dicts, lists and tuples, at any depth."""
    # What is referred to twice is resolved once: nested references could multiply without end.
    done: dict[int, Any] = {}

    def resolved(thing: Any) -> Any:
        if id(thing) in done:
            return done[id(thing)]
        if isinstance(thing, _TensorView):
            result = thing.to_array()
        elif isinstance(thing, dict):
            result = {key: resolved(value) for key, value in thing.items()}
        elif isinstance(thing, list):
            result = [resolved(value) for value in thing]
        elif type(thing) is tuple:
            result = tuple(resolved(value) for value in thing)
        else:
            return thing
        done[id(thing)] = result
        return result

    return resolved(content)
