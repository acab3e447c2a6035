"""Read a file of PyTorch, in any of its layouts, without PyTorch; nothing in it is executed."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from .pth_tensors import Storage
from .torch_pickle import load_pickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_ZIP_MARK = b"PK\x03\x04"
_LONGEST_REASON = 300
_LONGEST_NAME = 80
_ADVICE = (
    "It must be a file that torch.save wrote, holding a dict of tensors; download it again if it "
    "is damaged, or save only `model.state_dict()` into a new file."
)
# Files of a zip archive that torch.save did not write -> what wrote it.
_OTHER_ARCHIVES = (
    (
        "constants.pkl",
        "a TorchScript program; load it with torch.jit.load and save its state_dict()",
    ),
    (".npy", "an archive of NumPy arrays (.npz)"),
    ("model.weights.h5", "a model of Keras"),
    ("[Content_Types].xml", "an office document"),
    ("AndroidManifest.xml", "an Android program"),
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


def read_pth(path: str | Path) -> Any:
    """Read a file that ``torch.save`` wrote, or a plain pickle of tensors or arrays.

    Args:
        path: of the file.

    Returns:
        What was saved, made of plain values and stand-ins as `load_pickle` gives them; the data of
        all tensors are read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or is not PyTorch's.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"The weights file {path} does not exist; check the path.")
    try:
        with path.open("rb") as file:
            is_zip = file.read(len(_ZIP_MARK)) == _ZIP_MARK
            file.seek(0)
            return _read_zip(file) if is_zip else _read_legacy(file, read_nested=_read_nested)
    except _DAMAGE as error:
        what = str(error)[:_LONGEST_REASON] or type(error).__name__
        raise ValueError(f"{path} cannot be read as PyTorch weights: {what}. {_ADVICE}") from error


def _read_zip(file: BinaryIO) -> Any:
    storages: dict[str, Storage] = {}
    length = _length_of(file)
    with _open_zip(file) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.split("/")[-1] == "data.pkl"]
        for end, what in _OTHER_ARCHIVES:
            if any(name.endswith(end) for name in names):
                raise ValueError(f"it is {what}")
        if len(pickles) != 1:
            raise ValueError(_describe_archive(names))
        root = pickles[0][: -len("data.pkl")]
        if f"{root}byteorder" in names:
            _require_little_endian(_read_entry(archive, f"{root}byteorder") == b"little")
        content = load_pickle(
            BytesIO(_read_entry(archive, pickles[0])), storages, read_nested=_read_nested
        )
        entries = {f"{root}data/{key}": storage for key, storage in storages.items()}
        # Entries that overlap could make a small file any size.
        if sum(archive.getinfo(name).file_size for name in entries) > length:
            raise ValueError("its data take more than the file has")
        for name, storage in entries.items():
            storage.fill(_read_entry(archive, name))
    return content


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    entry: Any = archive.getinfo(name)
    # torch.save compresses nothing; a file that does may grow to any size.
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError("its data are compressed, which torch.save does not do")
    # PyTorch writes 0 where torch.serialization.set_crc32_options turned check sums off.
    entry.CRC = entry.CRC or None
    return archive.read(name)


def _open_zip(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        # The list of the parts is at the end.
        raise ValueError(
            f"its end is missing or damaged, as when a copy or download was cut off ({error})"
        ) from error


def _describe_archive(names: Sequence[str]) -> str:
    files = [name[:_LONGEST_NAME] for name in names if not name.endswith("/")]
    shown = ", ".join(map(repr, files[:3])) + (", ..." if len(files) > 3 else "")
    return f"it is a zip archive of {shown or 'nothing'}; unpack it and name the file inside"


def _read_legacy(file: BinaryIO, *, read_nested: Callable[[bytes], Any] | None = None) -> Any:
    length = _length_of(file)
    storages: dict[str, Storage] = {}
    first = load_pickle(file, storages, read_nested=read_nested)
    if isinstance(first, int) and first != _MAGIC:
        raise ValueError("it does not begin like a file of torch.save")
    if first != _MAGIC:
        return first
    protocol = load_pickle(file, storages)
    if protocol != _PROTOCOL:
        # Printing a list that holds itself many times over would take any amount of memory.
        found = protocol if isinstance(protocol, int) else type(protocol).__name__
        raise ValueError(f"its protocol is {found}, not {_PROTOCOL}")
    _require_little_endian(load_pickle(file, storages).get("little_endian", True))
    content = load_pickle(file, storages, read_nested=read_nested)
    for key in load_pickle(file, storages):
        if not isinstance(key, (str, int)) or str(key) not in storages:
            raise ValueError("it lists data that none of its tensors refers to")
        storage = storages[str(key)]
        (count,) = struct.unpack("<q", file.read(8))
        size = count * storage.kind.item_size
        if not 0 <= size <= length - file.tell():
            raise EOFError("it ends before its data do")
        storage.fill(file.read(size))
    return content


def _read_nested(data: bytes) -> Any:
    """Read the data of one tensor as a plain pickle of a tensor has them: a file in the file."""
    return _read_legacy(BytesIO(data))


def _length_of(file: BinaryIO) -> int:
    length = file.seek(0, 2)
    file.seek(0)
    return length


def _require_little_endian(little: bool) -> None:
    if not little:
        raise ValueError("it was written on a big-endian machine")
