"""Stand-ins for the classes and functions that a PyTorch pickle names.

What a file names is never imported or called. A known function is replaced by one of this module;
an object of any other class becomes a `Record`, which has the name of the class.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, Union

import numpy as np

from .pth_tensors import (
    BFLOAT16,
    STORAGES,
    LatinText,
    NumpyArray,
    NumpyType,
    Storage,
    StorageType,
    TensorView,
)

# Types whose tensors refer to untyped storages.
_WIDE_TYPES = {
    "torch.uint16": "<u2",
    "torch.uint32": "<u4",
    "torch.uint64": "<u8",
    "torch.bfloat16": BFLOAT16,
}
# Prefixes of functions that build tensors which are not representable as arrays.
_TENSOR_BUILDERS = ("torch._utils._rebuild_", "torch._tensor._rebuild_", "torch.sparse.")
_MOST_DIMENSIONS = 32
_LARGEST = 1 << 62
_LONGEST_NAME = 200


class Record:
    """Stand-in for an unknown class or function, or for an object of one.

    Args:
        name: module and name of the class or function, truncated to 200 characters, so that
            records derived from other records do not each copy a long name.

    Attributes:
        state: the state from which pickle would set the object's attributes.
        items: keys and values, if the object is a kind of dict.
        is_tensor: whether PyTorch would build a tensor from it.
    """

    __slots__ = ("items", "name", "state")

    def __init__(self, name: str) -> None:
        self.name = name[:_LONGEST_NAME]
        self.state: Any = None
        self.items: dict[Any, Any] = {}

    @property
    def is_tensor(self) -> bool:
        """Whether PyTorch would build a tensor from it."""
        return self.name.startswith(_TENSOR_BUILDERS)

    def module_class(self) -> str:
        """Return the class name of a whole network (nn.Module), "" for anything else."""
        state = self.state
        is_module = isinstance(state, dict) and "_parameters" in state and "_modules" in state
        return self.name if is_module else ""

    def __repr__(self) -> str:
        """Name the class."""
        return f"<an object of {self.name}>"


# Stand-ins of tensors; a Record only if its `is_tensor` is True.
TensorLike = Union[TensorView, NumpyArray, Record]


def _is_counts(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= _MOST_DIMENSIONS
        and all(type(number) is int and abs(number) < _LARGEST for number in value)
    )


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorLike:
    if not isinstance(storage, Storage):
        return Record("torch._utils._rebuild_tensor of unknown data")
    return _view(storage, offset, size, stride, storage.kind.dtype)


def _rebuild_wide_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, kind: Any, *_: Any
) -> TensorLike:
    dtype = _WIDE_TYPES.get(kind.name) if isinstance(kind, Record) else None
    if dtype is None or not isinstance(storage, Storage):
        return Record(f"torch._utils._rebuild_tensor of the type {getattr(kind, 'name', '?')}")
    return _view(storage, offset, size, stride, dtype)


def _view(storage: Storage, offset: Any, size: Any, stride: Any, dtype: str) -> TensorView:
    if not (_is_counts((offset,)) and _is_counts(size) and _is_counts(stride)):
        raise pickle.UnpicklingError("a tensor with an invalid shape")
    return TensorView(storage, offset, size, stride, dtype)


def _first(data: Any, *_: Any) -> Any:
    return data


def _rebuild_from_type(function: Any, _kind: Any, arguments: Any, *_: Any) -> Any:
    is_plain = isinstance(function, Known) and function.is_builder and isinstance(arguments, tuple)
    return function(*arguments) if is_plain else Record("torch._tensor._rebuild_from_type_v2")


def _size(numbers: Any = ()) -> Any:
    if isinstance(numbers, list) and len(numbers) <= _MOST_DIMENSIONS:
        return tuple(numbers)
    return numbers if isinstance(numbers, tuple) else Record("torch.Size")


def _ordered_dict(pairs: Any = ()) -> Any:
    # Python 2 passes the pairs as an argument, Python 3 sets them afterwards.
    if not isinstance(pairs, (list, tuple)):
        return Record("collections.OrderedDict")
    return {key_of(pair[0]): pair[1] for pair in pairs}


def _numpy_type(code: Any, *_: Any) -> NumpyType:
    is_plain = isinstance(code, str) and re.fullmatch("[fiub][1248]", code)
    return NumpyType(code if is_plain else "")


def _scalar(kind: Any, data: Any) -> Any:
    if isinstance(data, LatinText) and len(data.text) <= 16:
        data = data.to_bytes()
    # Pickles of Python 2 have bytes as text.
    raw = data.encode("latin1") if isinstance(data, str) and len(data) <= 16 else data
    is_plain = isinstance(kind, NumpyType) and kind.code and isinstance(raw, bytes)
    if not is_plain or len(raw) != np.dtype(kind.code).itemsize:
        return Record("numpy scalar")
    return np.frombuffer(raw, kind.code)[0].item()


def _encode(text: Any, encoding: Any = "latin1") -> Any:
    if isinstance(text, str) and encoding in ("latin1", "latin-1"):
        return LatinText(text)
    return Record("_codecs.encode")


def _empty_array(*_: Any) -> NumpyArray:
    return NumpyArray()


def _array_of_buffer(data: Any, kind: Any, shape: Any, order: Any, *_: Any) -> NumpyArray:
    return NumpyArray((data, kind, shape, order))


def _new_object(kind: Any, base: Any = None, state: Any = None, *_: Any) -> Record:
    """Stand in for the function with which protocols 0 and 1 build objects."""
    record = Record(kind.name if isinstance(kind, Record) else "an unknown class")
    if isinstance(base, Record) and isinstance(state, dict):
        record.items = state
    return record


class Known:
    """A known class or function, which calls its stand-in; a pickle cannot modify it.

    Args:
        function: the stand-in.
        is_builder: whether it builds a tensor.
    """

    __slots__ = ("_function", "is_builder")

    def __init__(self, function: Callable, *, is_builder: bool = False) -> None:
        self._function = function
        self.is_builder = is_builder

    def __call__(self, *arguments: Any) -> Any:
        """Call the stand-in."""
        return self._function(*arguments)


_TENSOR = Known(_rebuild_tensor, is_builder=True)
_PARAMETER = Known(_first, is_builder=True)
_KNOWN: Mapping[str, Known] = {
    "collections.OrderedDict": Known(_ordered_dict),
    "torch._utils._rebuild_tensor": _TENSOR,
    "torch._utils._rebuild_tensor_v2": _TENSOR,
    "torch._utils._rebuild_tensor_v3": Known(_rebuild_wide_tensor, is_builder=True),
    "torch._utils._rebuild_parameter": _PARAMETER,
    "torch._utils._rebuild_parameter_with_state": _PARAMETER,
    "torch._utils._rebuild_device_tensor_from_numpy": _PARAMETER,
    "torch._tensor._rebuild_from_type": Known(_rebuild_from_type),
    "torch._tensor._rebuild_from_type_v2": Known(_rebuild_from_type),
    "torch.Size": Known(_size),
    # fast-reid's checkpoints have the best metric as a NumPy scalar.
    "numpy.core.multiarray.scalar": Known(_scalar),
    "numpy._core.multiarray.scalar": Known(_scalar),
    "numpy.core.multiarray._reconstruct": Known(_empty_array),
    "numpy._core.multiarray._reconstruct": Known(_empty_array),
    "numpy.core.numeric._frombuffer": Known(_array_of_buffer),
    "numpy._core.numeric._frombuffer": Known(_array_of_buffer),
    "numpy.dtype": Known(_numpy_type),
    "_codecs.encode": Known(_encode),
    "copyreg._reconstructor": Known(_new_object),
    "copy_reg._reconstructor": Known(_new_object),
    "copyreg.__newobj__": Known(_new_object),
}


def find_global(module: str, name: str) -> Known | StorageType | Record:
    """Return the stand-in of a class or function.

    Args:
        module: name of its module, which is not imported.
        name: name of the class or function.
    """
    full = f"{module}.{name}"
    if module in ("torch", "torch.storage", "torch.cuda") and name in STORAGES:
        return StorageType(*STORAGES[name], name)
    return _KNOWN.get(full) or Record(full)


def key_of(thing: Any) -> Any:
    """Convert a dict key: plain values are kept, others become a record.

    Hashing nested tuples that share their parts could take unlimited time.
    """
    if isinstance(thing, int):
        # Larger numbers could be chosen so that all have the same hash.
        return thing if abs(thing) < 1 << 60 else Record("a large number")
    if thing is None or isinstance(thing, (str, bytes, float, Record)):
        return thing
    is_flat = type(thing) is tuple and len(thing) <= _MOST_DIMENSIONS
    if is_flat and all(isinstance(part, str) for part in thing):
        return thing
    return Record(f"a key of type {type(thing).__name__}")
