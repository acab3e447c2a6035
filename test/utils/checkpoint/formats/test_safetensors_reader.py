import json
import struct

import numpy as np
import pytest

from fastreid.utils.checkpoint.formats.safetensors_reader import read_safetensors
from fastreid.utils.checkpoint.weights_file import read_torch_weights

# 1.5 and -2 as bfloat16.
HALVES = struct.pack("<2H", 0x3FC0, 0xC000)


def write(path, **tensors):
    """Write tensors given as (type, shape, bytes)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (kind, shape, part) in tensors.items():
        place = [len(data), len(data) + len(part)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
        data += part
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_tensors_are_read_in_the_order_of_their_names_and_cannot_be_written_to(tmp_path):
    parts = {f"a.{i}": ("F32", [1], struct.pack("<f", i)) for i in (3, 1, 2, 0)}
    weights = read_safetensors(write(tmp_path / "w", **parts)).weights
    assert list(weights) == sorted(parts)
    assert [float(value[0]) for value in weights.values()] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        weights["a.0"][:] = 1


def test_a_bfloat16_becomes_a_float32(tmp_path):
    tensors = {"a.weight": ("BF16", [2, 1], HALVES), "a.empty": ("BF16", [0, 3], b"")}
    weights = read_torch_weights(write(tmp_path / "w", **tensors))
    value = weights["a.weight"]
    assert (value.dtype, value.tolist()) == (np.float32, [[1.5], [-2]])
    assert weights["a.empty"].shape == (0, 3)


def test_every_type_of_torch_is_that_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    names = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    tensors = {f"a.{name}": torch.arange(3).to(getattr(torch, name)) for name in names}
    save_file({**tensors, "a.bfloat16": torch.arange(3).bfloat16()}, tmp_path / "w")
    weights = read_safetensors(tmp_path / "w").weights
    assert weights["a.bfloat16"].tolist() == [0, 1, 2]
    for name, value in tensors.items():
        assert weights[name].dtype == value.numpy().dtype
        np.testing.assert_array_equal(weights[name], value.numpy())


def test_a_type_that_numpy_lacks_is_refused_by_key_only_among_the_weights(tmp_path):
    good = {"a.weight": ("F32", [1], bytes(4))}
    beside = write(tmp_path / "beside", **good, scale=("F8_E4M3", [2], b"88"))
    assert list(read_torch_weights(beside)) == ["a.weight"]
    path = write(tmp_path / "w", **good, **{"a.bias": ("F8_E4M3", [2], b"88")})
    with pytest.raises(ValueError, match="'a.bias' is a tensor of the type F8_E4M3"):
        read_torch_weights(path)


def test_a_damaged_file_is_named(tmp_path):
    path = write(tmp_path / "w", **{"a.weight": ("F32", [2], bytes(4))})
    with pytest.raises(ValueError, match=r"w cannot be read as safetensors: .*Copy or download"):
        read_safetensors(path)
