"""Read PyTorch files in all layouts, without PyTorch and without executing code of the file."""

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
    "It must be a dict of tensors written by torch.save. If the file is damaged, download it "
    "again; otherwise save only `model.state_dict()` into a new file."
)
# Ends of file names in zip archives of other programs, and what such an archive is.
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
# The errors that damaged files can cause.
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
    """Read a file of ``torch.save``, or a plain pickle of tensors or arrays.

    Args:
        path: the file.

    Returns:
        The saved object, built of plain values and the stand-ins of `load_pickle`, with the data of
        all tensors.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged or not a PyTorch file.
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
        # In a manipulated file, entries can overlap and be larger in total than the file.
        if sum(archive.getinfo(name).file_size for name in entries) > length:
            raise ValueError("its data are larger than the file")
        for name, storage in entries.items():
            storage.fill(_read_entry(archive, name))
    return content


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    entry: Any = archive.getinfo(name)
    # torch.save does not compress. A compressed entry could expand to any size.
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError("its data are compressed, which torch.save does not do")
    # PyTorch writes 0 if checksums are disabled by torch.serialization.set_crc32_options.
    entry.CRC = entry.CRC or None
    return archive.read(name)


def _open_zip(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        # The directory of a zip archive is at its end.
        raise ValueError(
            f"its end is missing or damaged, as after an incomplete copy or download ({error})"
        ) from error


def _describe_archive(names: Sequence[str]) -> str:
    files = [name[:_LONGEST_NAME] for name in names if not name.endswith("/")]
    shown = ", ".join(map(repr, files[:3])) + (", ..." if len(files) > 3 else "")
    return f"it is a zip archive of {shown or 'nothing'}; unpack it and use the file inside"


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
        # The text of a deeply nested list could take any amount of memory.
        found = protocol if isinstance(protocol, int) else type(protocol).__name__
        raise ValueError(f"its protocol is {found}, not {_PROTOCOL}")
    _require_little_endian(load_pickle(file, storages).get("little_endian", True))
    content = load_pickle(file, storages, read_nested=read_nested)
    for key in load_pickle(file, storages):
        if not isinstance(key, (str, int)) or str(key) not in storages:
            raise ValueError("it lists data that no tensor refers to")
        storage = storages[str(key)]
        (count,) = struct.unpack("<q", file.read(8))
        size = count * storage.kind.item_size
        if not 0 <= size <= length - file.tell():
            raise EOFError("it ends before the end of its data")
        storage.fill(file.read(size))
    return content


def _read_nested(data: bytes) -> Any:
    """Read the data of a tensor in a plain pickle, which are a PyTorch file of their own."""
    return _read_legacy(BytesIO(data))


def _length_of(file: BinaryIO) -> int:
    length = file.seek(0, 2)
    file.seek(0)
    return length


def _require_little_endian(little: bool) -> None:
    if not little:
        raise ValueError("it was written on a big-endian machine")
