"""What a PyTorch weights file may pickle: tensors, plain values, and nothing that runs.

Only the few classes that a weights file needs are known, as stand-ins of ours.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

# Opcodes that number an object.
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
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


class StorageType(NamedTuple):
    """Type of the numbers in a storage, as NumPy writes it."""

    dtype: str

    @property
    def item_size(self) -> int:
        """Bytes of a number."""
        return 2 if self.dtype == _BFLOAT16 else np.dtype(self.dtype).itemsize


class Storage:
    """The flat data behind one or more tensors; filled after the pickle was read."""

    def __init__(self, kind: StorageType) -> None:
        self.kind = kind
        self.values = np.empty(0)

    def fill(self, data: bytes) -> None:
        """Take the numbers out of raw bytes."""
        if self.kind.dtype == _BFLOAT16:
            # A bfloat16 is the upper half of a float32.
            halves = np.frombuffer(data, "<u2").astype("<u4")
            self.values = (halves << 16).view("<f4")
        else:
            self.values = np.frombuffer(data, self.kind.dtype)


class TensorView(NamedTuple):
    """A tensor whose storage may not be there yet; sizes, strides and offset in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def to_array(self) -> np.ndarray:
        """Copy the tensor out of its storage."""
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
    storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> TensorView:
    return TensorView(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: TensorView, *_: Any) -> TensorView:
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


class WeightsUnpickler(pickle.Unpickler):
    """An unpickler that knows nothing but what a weights file needs.

    Args:
        file: read from where it stands.
        storages: gets the storages that are referred to, by key, still empty.
    """

    def __init__(self, file: BinaryIO, storages: dict[str, Storage]) -> None:
        super().__init__(file, encoding="latin1")
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        """Give the stand-in for a global; refuse all that have none."""
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return StorageType(_DTYPES[name])
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is not allowed in a weights file"
            )
        return _Call(_ALLOWED[module, name])

    def persistent_load(self, pid: Any) -> Storage:
        """Give the storage that a tensor refers to."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise pickle.UnpicklingError(f"an unknown reference {pid!r}")
        kind, key = pid[1], str(pid[2])
        if not isinstance(kind, StorageType):
            raise pickle.UnpicklingError(f"data of an unknown type {kind!r}")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("views of data of the oldest layout are not supported")
        return self._storages.setdefault(key, Storage(kind))


def load_pickle(file: BinaryIO, storages: dict[str, Storage]) -> Any:
    """Read one pickle.

    Args:
        file: read from where it stands, to the end of the pickle.
        storages: as in `WeightsUnpickler`.

    Returns:
        The object, with `TensorView`s for tensors.

    Raises:
        pickle.UnpicklingError: if it asks for what is not allowed; other errors, if it is damaged.
    """
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        # The unpickler makes room for as many objects as the largest number says.
        if opcode.name in _PUTS and argument > count:
            raise pickle.UnpicklingError(f"object {argument} among the first {count}")
    file.seek(start)
    return WeightsUnpickler(file, storages).load()
