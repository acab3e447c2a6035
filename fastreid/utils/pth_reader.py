"""Read a PyTorch weights file, in the zip or the older layout, without PyTorch.

Nothing in the file is executed: only the few classes that a weights file needs are known.
"""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .pth_pickle import Storage, TensorView, load_pickle

# Where checkpoints keep the state dict.
_NESTED = ("model", "state_dict")
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_ADVICE = (
    "It must be a file that torch.save wrote, holding a dict of tensors; download it again if it "
    "is damaged, or save only `model.state_dict()` into a new file."
)
# What the parts of a damaged file raise, one way or another.
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    EOFError,
    OSError,
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


def _read_zip(file: BinaryIO) -> Any:
    storages: dict[str, Storage] = {}
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.split("/")[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("it is a zip archive, but not one of torch.save")
        root = pickles[0][: -len("data.pkl")]
        if f"{root}byteorder" in archive.namelist():
            _require_little_endian(archive.read(f"{root}byteorder") == b"little")
        content = load_pickle(BytesIO(_read_entry(archive, pickles[0])), storages)
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
    storages: dict[str, Storage] = {}
    if load_pickle(file, storages) != _MAGIC:
        raise ValueError("it does not begin like a file of torch.save")
    protocol = load_pickle(file, storages)
    if protocol != _PROTOCOL:
        raise ValueError(f"its protocol is {protocol}, not {_PROTOCOL}")
    _require_little_endian(load_pickle(file, storages).get("little_endian", True))
    content = load_pickle(file, storages)
    for key in load_pickle(file, storages):
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
        if isinstance(thing, TensorView):
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
