import zipfile

import numpy as np
import pytest

from fastreid.utils.checkpoint.formats.pth_writer import STORAGES, write_pth
from fastreid.utils.checkpoint.weights_file import read_torch_weights


@pytest.fixture
def tensors():
    """All types, and shapes without entries, without dimensions, and in another order."""
    matrix = np.arange(-3, 3).reshape(2, 3)
    arrays = {dtype: matrix.astype(dtype) for dtype in STORAGES}
    arrays["scalar"] = np.array(300)
    arrays["empty"] = np.zeros((0, 4), np.float32)
    arrays["transposed"] = matrix.astype(np.float32).T
    arrays["layer1.0.ünïcode"] = np.float32([np.nan, -0.0, np.inf])
    return arrays


def assert_equal(got, want):
    assert list(got) == list(want)
    for name, value in want.items():
        assert (got[name].dtype, got[name].shape) == (value.dtype, value.shape), name
        assert got[name].tobytes() == value.tobytes(), name


def test_what_was_written_is_read(tmp_path, tensors):
    write_pth(tmp_path / "w.pth", tensors)
    assert_equal(read_torch_weights(tmp_path / "w.pth"), tensors)
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]


@pytest.mark.parametrize("key", ["", "model"])
def test_torch_reads_it_where_it_allows_weights_only(tmp_path, tensors, key):
    torch = pytest.importorskip("torch")
    write_pth(tmp_path / "w.pth", tensors, key=key)
    content = torch.load(tmp_path / "w.pth", weights_only=True)
    weights = content[key] if key else content
    assert_equal({name: value.numpy() for name, value in weights.items()}, tensors)


def test_torch_loads_it_into_a_module(tmp_path):
    torch = pytest.importorskip("torch")
    source, target = (
        torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3)) for _ in range(2)
    )
    weights = {name: value.numpy() for name, value in source.state_dict().items()}
    write_pth(tmp_path / "w.pth", weights)
    target.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True))
    for name, value in target.state_dict().items():
        assert torch.equal(value, source.state_dict()[name])


def test_a_type_that_torch_lacks_is_named_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="names is <U3, which a PyTorch file cannot hold"):
        write_pth(tmp_path / "w.pth", {"weight": np.ones(2), "names": np.array(["abc"])})
    assert list(tmp_path.iterdir()) == []


def test_it_is_a_plain_zip_archive(tmp_path):
    write_pth(tmp_path / "w.pth", {"weight": np.ones(2, np.float32)})
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        assert archive.testzip() is None
        assert archive.read("archive/data/0") == np.ones(2, "<f4").tobytes()
