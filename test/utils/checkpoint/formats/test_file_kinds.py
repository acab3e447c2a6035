import io
import tarfile
import zipfile
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from fastreid.utils.checkpoint.formats.file_kinds import FileKind, kind_of
from fastreid.utils.checkpoint.weights_file import write_weights


def tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return buffer.getvalue()


FOREIGN = {
    "an empty file": (b"", "empty"),
    "zeros": (bytes(4096), "filled with zeros"),
    "Torch7": (b"\x04\0\0\0\x01\0\0\0\x03\0\0\0" + bytes(40), "Torch7"),
    "Torch7 with an object": (b"\x03\0\0\0\x01\0\0\0\x03\0\0\0V 1", "Torch7"),
    "Torch7 in text": (b"4\n1\n3\nV 1\n", "text file of Torch7"),
    "tar of the oldest torch": (tar(), "a tar archive, which begins with 'storages'"),
    "Keras": (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(99), "an ONNX model"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "a web page": (b"\n<!DOCTYPE html><html><title>Quota exceeded</title>", "a web page"),
    "JSON": (b'{"error": "not found"}', 'text, which begins with \'{"error"'),
    "words": (b"Not Found", "text, which begins with 'Not Found'"),
    "gzip": (b"\x1f\x8b\x08" + bytes(9), "a gzip archive; unpack it first"),
    "NumPy": (b"\x93NUMPY\x01\0", "a single NumPy array"),
    "a picture": (b"\x89PNG\r\n", "a PNG picture"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(9), "TensorFlow Lite"),
    "encrypted MindSpore": (b"\xd8^:\x7f" + bytes(range(40)), "an encrypted MindSpore checkpoint"),
    "anything": (b"\xee\xff\x00", "of an unknown kind; it begins with b'\\xee"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_an_unsupported_file_is_described(tmp_path, name):
    content, want = FOREIGN[name]
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.pth cannot be read as weights: it is") as caught:
        kind_of(tmp_path / "model.pth")
    assert want in str(caught.value)


def test_the_formats_are_detected(tmp_path):
    weights = {"a.weight": np.ones(3, np.float32)}
    kinds = {
        ".pth": FileKind.ZIP,
        ".safetensors": FileKind.SAFETENSORS,
        ".ckpt": FileKind.CKPT,
    }
    for suffix, kind in kinds.items():
        write_weights(tmp_path / f"w{suffix}", weights)
        assert kind_of(tmp_path / f"w{suffix}") is kind
    for start in (b"\x80\x02}q\x00.", b"(dp0\nS'a'\nI1\ns."):
        (tmp_path / "p").write_bytes(start)
        assert kind_of(tmp_path / "p") is FileKind.PICKLE
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("a", "b")
    assert kind_of(tmp_path / "z") is FileKind.ZIP
    with pytest.raises(FileNotFoundError, match="does not exist"):
        kind_of(tmp_path / "none")
    with pytest.raises(ValueError, match="is a folder, not a weights file"):
        kind_of(tmp_path)


def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    path = tmp_path / "w.pth"
    path.write_bytes(b"1")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ValueError, match=r"w\.pth cannot be opened: Permission denied"):
        kind_of(path)


def test_an_encrypted_checkpoint_of_mindspore_is_recognized(tmp_path):
    path = tmp_path / "a.ckpt"
    ms.save_checkpoint(nn.Dense(2, 2), str(path), enc_key=b"0123456789abcdef")
    with pytest.raises(ValueError, match=r"a\.ckpt .* decrypt it with MindSpore first"):
        kind_of(path)
