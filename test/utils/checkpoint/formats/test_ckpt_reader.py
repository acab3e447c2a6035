import zlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from mindspore.train.checkpoint_pb2 import Checkpoint

from fastreid.utils.checkpoint.files import (
    DamagedCheckpointError,
    OnlyWeightsError,
    read_checkpoint,
    read_ckpt_weights,
)
from fastreid.utils.checkpoint.formats import ckpt_reader
from fastreid.utils.checkpoint.formats.ckpt_reader import read_ckpt

TYPES = ("int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64", "bool")


def written(path, entries, *, checked=True):
    """A file made by hand: (name, type, shape, bytes)."""
    message = Checkpoint()
    for name, kind, dims, data in entries:
        value = message.value.add()
        value.tag, value.tensor.tensor_type, value.tensor.tensor_content = name, kind, data
        value.tensor.dims.extend(dims)
    content = message.SerializeToString()
    end = b"crc_num" + zlib.crc32(content).to_bytes(10, "big") if checked else b""
    path.write_bytes(content + end)
    return path


def text(name, value):
    return name, "str", [0], value.encode("utf-32-le")


def test_what_mindspore_writes_is_read_as_mindspore_reads_it(tmp_path):
    path = tmp_path / "a.ckpt"
    arrays = {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in TYPES}
    arrays["scalar"] = np.array(2.5, np.float32)
    entries = [{"name": name, "data": Tensor(array)} for name, array in arrays.items()]
    ms.save_checkpoint(entries, str(path), append_dict={"note": "übrig"}, crc_check=True)
    got, is_checked = read_ckpt(path)
    assert is_checked
    theirs = ms.load_checkpoint(str(path), crc_check=True)
    assert got.pop("note") == theirs.pop("note") == "übrig"
    assert got.keys() == theirs.keys() == arrays.keys()
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        assert got[name].shape == array.shape == theirs[name].shape
        np.testing.assert_array_equal(got[name], array)


def test_a_tensor_in_parts_is_put_together(tmp_path):
    data = np.arange(4, dtype="<f4").tobytes()
    parts = [("a", "Float32", [4], data[:6]), ("a", "Float32", [4], data[6:])]
    entries, _ = read_ckpt(written(tmp_path / "a.ckpt", parts))
    assert entries["a"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        # MindSpore would read a gigabyte of memory beyond these 16 bytes.
        ([("a", "Float32", [1 << 28], bytes(16))], r"'a' of shape \(268435456,\) does not fit"),
        ([("a", "Float32", [-4], bytes(16))], r"shape \(-4,\) does not fit"),
        ([("a", "Float32", [-2, -2], bytes(16))], r"shape \(-2, -2\) does not fit"),
        ([("a", "Float32", [1 << 62, 4], bytes(16))], "does not fit"),
        ([("a", "Float32", [2], bytes(16))], "does not fit"),
        ([("a", "Object", [2], bytes(16))], "unknown type 'Object'"),
        ([("a", "str", [0], bytes(15))], "truncated data"),
        ([text("a", "1"), text("b", "2"), text("a", "3")], "holds 'a' twice"),
    ],
)
def test_invalid_entries_are_an_error(tmp_path, entries, message):
    with pytest.raises(ValueError, match=message):
        read_ckpt(written(tmp_path / "a.ckpt", entries))


WEIGHT = ("model/a", "Float32", [1], bytes(4))
EXTRA, STATES = text("extra", "{}"), text("states", "{}")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([WEIGHT, text("extra", "{"), STATES], "is damaged .*Expecting property name"),
        ([WEIGHT, text("extra", "[]"), STATES], "'extra' is not a JSON object"),
        ([WEIGHT, EXTRA, text("states", "[" * 100_000)], "is damaged"),
        ([WEIGHT, ("extra", "Float32", [1], bytes(4)), STATES], "'extra' is not a JSON object"),
        ([("other/a", *WEIGHT[1:]), EXTRA, STATES], "'other/a', which is not part of a checkpoint"),
        (
            [WEIGHT, text("model/b", "x"), EXTRA, STATES],
            "'model/b', which is not part of a checkpoint",
        ),
        (
            [WEIGHT, ("s/a", *WEIGHT[1:]), EXTRA, text("states", '{"s": 1}')],
            "'s/a', which is not part",
        ),
        ([EXTRA, STATES], "holds no model weights"),
        ([WEIGHT, EXTRA], "is not a checkpoint of this toolbox, or its end is missing"),
    ],
)
def test_an_invalid_checkpoint_is_named_with_the_reason(tmp_path, entries, message):
    with pytest.raises(DamagedCheckpointError, match=f"a.ckpt .*{message}"):
        read_checkpoint(written(tmp_path / "a.ckpt", entries))


def test_more_entries_than_any_training_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(ckpt_reader, "MOST_ENTRIES", 2)
    entries = [(name, "Bool", [1], b"1") for name in "abc"]
    assert len(read_ckpt(written(tmp_path / "a.ckpt", entries[:2])).entries) == 2
    with pytest.raises(ValueError, match="it holds more than 2 entries"):
        read_ckpt(written(tmp_path / "a.ckpt", entries))
    # Lengths of several bytes are parsed too, and an unterminated length is an error.
    long = [(name, "Bool", [300], bytes(300)) for name in "abc"]
    with pytest.raises(ValueError, match="it holds more than 2 entries"):
        read_ckpt(written(tmp_path / "a.ckpt", long))
    (tmp_path / "a.ckpt").write_bytes(b"\n" + b"\xff" * 1000)
    with pytest.raises(ValueError, match="not in MindSpore's format"):
        read_ckpt(tmp_path / "a.ckpt")


def test_a_checkpoint_without_its_checksum_is_damaged(tmp_path):
    path = written(tmp_path / "a.ckpt", [WEIGHT, EXTRA, STATES], checked=False)
    with pytest.raises(DamagedCheckpointError, match="checksum is missing"):
        read_checkpoint(path)
    read_checkpoint(written(path, [WEIGHT, EXTRA, STATES]))


def test_a_bfloat16_is_read_as_the_float_that_it_stands_for(tmp_path):
    value = Tensor(np.array([1.5, -2.0], np.float32)).astype(ms.bfloat16)
    ms.save_checkpoint([{"name": "a", "data": value}], str(tmp_path / "a.ckpt"))
    assert read_ckpt(tmp_path / "a.ckpt").entries["a"].tolist() == [1.5, -2.0]


@pytest.mark.parametrize("optimizer", [nn.Momentum, nn.SGD, nn.Adam, nn.AdamWeightDecay, nn.Lamb])
def test_optimizer_states_and_training_values_are_not_weights(tmp_path, optimizer):
    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(3, 2)

    net, path = Net(), tmp_path / "a.ckpt"
    more = {"momentum": 0.9} if optimizer is nn.Momentum else {}
    step = optimizer(net.trainable_params(), learning_rate=0.1, **more)
    beside = {"epoch_num": 3, "step_num": 7, "lr": 0.1, "loss": 2.5, "note": "x"}
    entries = [{"name": p.name, "data": p} for p in (*net.get_parameters(), *step.get_parameters())]
    named = {entry["name"]: entry for entry in entries}
    ms.save_checkpoint(list(named.values()), str(path), append_dict=beside)
    assert sorted(read_ckpt_weights(path).model) == ["dense.bias", "dense.weight"]
    with pytest.raises(OnlyWeightsError, match=r"a\.ckpt .*holds only weights"):
        read_checkpoint(path)
