from pathlib import Path

import numpy as np
import pytest

from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights_file import (
    SUFFIXES,
    read_torch_weights,
    split_key_path,
    write_weights,
)
from test.utils.checkpoint.test_names import acl_model


@pytest.fixture(scope="module")
def model():
    return acl_model()


@pytest.fixture
def weights(model):
    """The weights of ACL's model, with a batch counter of PyTorch and a float16 tensor."""
    rng = np.random.RandomState(0)
    state = {k: rng.randn(*v.shape).astype(np.float32) for k, v in export_weights(model).items()}
    return {**state, "backbone.bn1.num_batches_tracked": np.array(17)}


def assert_equal(got, want):
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert (got[name].dtype, got[name].shape) == (value.dtype, value.shape), name
        assert got[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_returns_the_written_arrays_bit_by_bit(tmp_path, weights, suffix):
    weights["backbone.conv1.weight"] = weights["backbone.conv1.weight"].astype(np.float16)
    path = tmp_path / f"weights{suffix}"
    write_weights(path, weights)
    assert_equal(read_torch_weights(path), weights)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_loaded_into_a_model(tmp_path, model, weights, suffix):
    path = tmp_path / f"weights{suffix}"
    write_weights(path, weights)
    Checkpointer(model).load(path, weights_only=True)
    del weights["backbone.bn1.num_batches_tracked"]
    assert_equal(export_weights(model), weights)


def test_the_prefix_of_data_parallel_training_is_dropped(tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, {"module.fc.weight": np.ones((2, 2), np.float32)})
    assert list(read_torch_weights(path)) == ["fc.weight"]
    write_weights(path, {name: np.ones(2, np.float32) for name in ("module.a", "a")})
    with pytest.raises(ValueError, match=r"w\.safetensors: .*with and without the prefix"):
        read_torch_weights(path)


def test_files_that_are_not_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"w\.onnx is not a weights file: .* \.ckpt, \.pth"):
        write_weights(tmp_path / "w.onnx", {})
    with pytest.raises(ValueError, match=r"w\.npz is not a weights file"):
        write_weights(tmp_path / "w.npz", {})
    for suffix in SUFFIXES:
        with pytest.raises(FileNotFoundError, match="does not exist; check the path"):
            read_torch_weights(tmp_path / f"gone{suffix}")


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("name", ["w.pyth", "w.bin", "w.t7", "w.tar", "w", "w.ckpt", "w.pth"])
def test_the_format_is_detected_by_content_not_by_name(tmp_path, source, name):
    weights = {"fc.weight": np.ones((2, 3), np.float32)}
    write_weights(tmp_path / f"as{source}", weights)
    (tmp_path / f"as{source}").rename(tmp_path / name)
    assert_equal(read_torch_weights(tmp_path / name), weights)


def test_a_key_path_is_split_from_the_path(tmp_path):
    assert split_key_path("a.pth::model/ema") == (Path("a.pth"), "model/ema")
    assert split_key_path(tmp_path / "a.pth") == (tmp_path / "a.pth", "")
    assert split_key_path("::a") == (Path("::a"), "")
    odd = tmp_path / "a::b"
    odd.write_text("")
    assert split_key_path(odd) == (odd, "")
    assert split_key_path(f"{odd}::c") == (odd, "c")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_of_a_big_endian_machine_are_written_as_numbers(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    write_weights(path, {"a.weight": np.array([1.5, -2], ">f4"), "a.scale": np.array(3, ">i8")})
    got = read_torch_weights(path)
    assert {name: value.tolist() for name, value in got.items()} == {
        "a.weight": [1.5, -2],
        "a.scale": 3,
    }


@pytest.mark.parametrize("keep", [0, 5, 100, -3])
def test_a_truncated_safetensors_file_is_named(tmp_path, weights, keep):
    path = tmp_path / "w.safetensors"
    write_weights(path, weights)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"w\.safetensors cannot be read as (safetensors|weights)"):
        read_torch_weights(path)


def test_names_of_one_tensor_are_refused_and_nothing_is_written(tmp_path):
    twice = {"bn1.weight": np.ones(2), "bn1.gamma": np.ones(2)}
    with pytest.raises(ValueError, match="mean the same tensor"):
        write_weights(tmp_path / "w.ckpt", twice)
    assert list(tmp_path.iterdir()) == []
