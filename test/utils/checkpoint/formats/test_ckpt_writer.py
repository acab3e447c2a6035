import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.utils.checkpoint.formats.ckpt_reader import TYPES, read_ckpt
from fastreid.utils.checkpoint.formats.ckpt_writer import write_ckpt

RNG = np.random.default_rng(0)
ARRAYS = {
    **{name: RNG.integers(0, 2, (2, 3)).astype(kind) for name, kind in TYPES.items()},
    "scalar": np.array(-2.5, np.float32),
    "one": np.array([7], np.int64),
    "long name " * 30: RNG.standard_normal((300, 5)).astype(np.float32),
    "turned": RNG.standard_normal((4, 3)).astype(np.float32).T,
}


def test_the_file_is_mindspores_byte_by_byte(tmp_path):
    texts = {"extra": '{"a": "übrig"}', "states": "{}"}
    write_ckpt(tmp_path / "ours.ckpt", {**ARRAYS, **texts})
    entries = [{"name": name, "data": Tensor(array)} for name, array in ARRAYS.items()]
    ms.save_checkpoint(entries, str(tmp_path / "theirs.ckpt"), append_dict=texts, crc_check=True)
    assert (tmp_path / "ours.ckpt").read_bytes() == (tmp_path / "theirs.ckpt").read_bytes()


def test_what_is_written_is_read_by_both(tmp_path):
    path = tmp_path / "a.ckpt"
    write_ckpt(path, {**ARRAYS, "empty": np.zeros((0,), np.float32), "text": ""})
    entries, is_checked = read_ckpt(path)
    assert is_checked
    assert entries.pop("text") == ""
    assert entries.pop("empty").shape == (0,)
    for name, array in ARRAYS.items():
        assert entries[name].dtype == array.dtype
        np.testing.assert_array_equal(entries[name], array)
    write_ckpt(path, ARRAYS)
    for name, value in ms.load_checkpoint(str(path), crc_check=True).items():
        np.testing.assert_array_equal(value.asnumpy(), ARRAYS[name])


def test_a_type_that_the_format_does_not_have_is_named(tmp_path):
    with pytest.raises(TypeError, match="a is of the type complex128, which a .ckpt file"):
        write_ckpt(tmp_path / "a.ckpt", {"a": np.zeros(2, complex)})
