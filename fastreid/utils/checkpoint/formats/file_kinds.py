"""Detect the format of a weights file by its first bytes; its name and suffix are ignored."""

from __future__ import annotations

import enum
import string
from pathlib import Path

_HEAD = 512
_TAR_PLACE = 257
# The first bytes of an encrypted MindSpore checkpoint.
_ENCRYPTED = b"\xd8^:\x7f"
# Unsupported formats: the first bytes, and a description with advice.
_FOREIGN = (
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras and MATLAB write it"),
    (b"\x93NUMPY", "a single NumPy array (.npy)"),
    (b"\x03\0\0\0\x01\0\0\0", "a file of Torch7 (Lua); load and save it with PyTorch first"),
    (b"\x04\0\0\0\x01\0\0\0", "a file of Torch7 (Lua); load and save it with PyTorch first"),
    (b"4\n1\n", "a text file of Torch7 (Lua); load and save it with PyTorch first"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"RIFF", "a picture, a sound or a film"),
    (b"\x7fELF", "a program"),
    (b"GGUF", "a GGUF file"),
    (_ENCRYPTED, "an encrypted MindSpore checkpoint; decrypt it with MindSpore first: "
     "load_checkpoint with dec_key, then save_checkpoint without enc_key"),
)  # fmt: skip
_LFS = b"version https://git-lfs"
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<script")
# First bytes of pickles: of protocol 2 and later, and the opcodes that earlier ones begin with.
_PICKLE_STARTS = frozenset((b"\x80", *(bytes([code]) for code in b"(]})cdilFILSVNKMJGXUT")))
_TEXT = frozenset(string.printable.encode())


class FileKind(enum.Enum):
    """The formats of weights files."""

    ZIP = "a zip archive"
    PICKLE = "a pickle"
    SAFETENSORS = "safetensors"
    CKPT = "a MindSpore checkpoint"


def kind_of(path: str | Path) -> FileKind:
    """Detect the format of a weights file.

    Args:
        path: the file.

    Returns:
        The format.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the format is not supported; the message describes the file.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a weights file; give a file in it.")
    if not path.is_file():
        raise FileNotFoundError(f"The weights file {path} does not exist; check the path.")
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(_HEAD)
    except OSError as error:
        raise ValueError(f"The weights file {path} cannot be opened: {error.strerror}.") from error
    foreign = _describe(head, size)
    if foreign:
        raise ValueError(_unsupported_message(path, foreign))
    if head.startswith(b"PK\x03\x04"):
        return FileKind.ZIP
    if _begins_safetensors(head, size):
        return FileKind.SAFETENSORS
    if _begins_ckpt(head):
        return FileKind.CKPT
    if head[:1] in _PICKLE_STARTS:
        return FileKind.PICKLE
    raise ValueError(
        _unsupported_message(path, f"of an unknown kind; it begins with {head[:16]!r}")
    )


def _unsupported_message(path: Path, what: str) -> str:
    return (
        f"{path} cannot be read as weights: it is {what}. Supported are files of torch.save, "
        "safetensors, and checkpoints of MindSpore and of this toolbox."
    )


def _describe(head: bytes, size: int) -> str:
    """Describe a file of an unsupported format; "" if it may be a supported one."""
    if not head:
        return "empty; copy or download it again"
    if head[_TAR_PLACE:].startswith(b"ustar"):
        first = head[:100].split(b"\0")[0].decode("utf-8", "replace")
        return f"a tar archive, which begins with {first!r}; unpack it and name the file inside"
    if head.lstrip().lower().startswith(_PAGES):
        return "a web page instead of the file; download it again, after signing in if needed"
    if head.startswith(_LFS):
        return "a pointer of Git LFS, not the file itself; run `git lfs pull`"
    for mark, what in _FOREIGN:
        if head.startswith(mark):
            return what
    if not any(head) and size >= len(head):
        return "filled with zeros, so its copy or download is incomplete; copy it again"
    if _begins_onnx(head):
        return "an ONNX model; use the weights file of the program that exported it"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    return _describe_text(head)


def _describe_text(head: bytes) -> str:
    # Pickles of protocol 0 are also text, in short lines.
    may_be_pickle = head[:1] in _PICKLE_STARTS and b"\n" in head[:100]
    if not set(head) <= _TEXT or may_be_pickle:
        return ""
    return f"text, which begins with {head[:40].decode('ascii')!r}"


def _begins_safetensors(head: bytes, size: int) -> bool:
    """Check for a JSON header with its length in the eight bytes before it."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length + 8 <= max(size, 1 << 27)


def _begins_ckpt(head: bytes) -> bool:
    """Check for the first protobuf entry, which has a name (field 1) and a tensor (field 2)."""
    if head[:1] != b"\n":
        return False
    # The length of the entry is a varint: seven bits per byte, the last byte below 128.
    end = next((i for i, byte in enumerate(head[1:11], 1) if byte < 128), 0)
    return end > 0 and head[end + 1 : end + 2] == b"\n"


def _begins_onnx(head: bytes) -> bool:
    """Check for the format version (field 1, a small number) and the next protobuf field."""
    return head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b":", b"B")
