import argparse
import collections
import datetime
import enum
import io
import os
import pathlib
import pickle
import struct
import sys
import tracemalloc

import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.utils.checkpoint.formats import pth_machine
from fastreid.utils.checkpoint.formats.pth_objects import Record
from fastreid.utils.checkpoint.formats.pth_tensors import (
    LatinText,
    NumpyArray,
    NumpyType,
    StorageType,
    TensorView,
    UnreadableTensorError,
)
from fastreid.utils.checkpoint.formats.pth_tensors import Storage as PthStorage
from fastreid.utils.checkpoint.formats.torch_pickle import load_pickle
from fastreid.utils.checkpoint.recognition.candidates import find_candidates
from fastreid.utils.checkpoint.weights_file import read_torch_weights
from test.utils.checkpoint.pth_files import LAYOUTS, Call, Plain, Storage, torch_file, zip_file


def read(content, protocol=2):
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol)
    return load_pickle(io.BytesIO(data), {})


class Colour(enum.Enum):
    RED = 1


class AttributeDict(dict):
    """Such as PyTorch Lightning keeps its settings in."""


class Average:
    """An object with tensors in it."""

    def __init__(self):
        self.shadow, self.decay = {"a.weight": np.zeros(2)}, 0.9


BESIDE = {
    "Counter": collections.Counter([40, 90]),
    "Namespace": argparse.Namespace(lr=0.1, colour=Colour.RED),
    "path": pathlib.PurePosixPath("x/y"),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "deque": collections.deque([1, 2], maxlen=3),
    "set": {1, (2, 3)},
    "frozenset": frozenset([Colour.RED]),
    "CfgNode": get_cfg().SOLVER,
    "AttributeDict": AttributeDict(lr=0.1),
    "enum": Colour.RED,
    "function": os.path.join,
    "class": dict,
    "date": datetime.datetime(2026, 11, 28),
    "complex": 1 + 2j,
    "bytearray": bytearray(b"abc"),
    "bytes": b"\xff\x00",
    "slice": slice(1, 2),
    "range": range(3),
    "array": np.arange(6.0).reshape(2, 3).T,
    "objects": np.array([Colour.RED, None], dtype=object),
    "records": np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "dates": np.array(["2026-11-28"], dtype="datetime64[D]"),
    "texts": np.array(["a", "bc"]),
    "scalars": [np.float32(1), np.int64(2), np.bool_(True), np.complex64(1j), np.str_("x")],
    "date scalar": np.datetime64("2026-11-28"),
    "random numbers": np.random.RandomState(0),
    "generator": np.random.default_rng(0),
    "average": Average(),
    "odd keys": {Colour.RED: 1, (1, (2, 3)): 2, 2**70: 3, frozenset(): 4},
    "large number": 2**3000,
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", BESIDE)
def test_other_objects_in_a_file_are_read_in_every_protocol(name, protocol):
    content = {"epoch": 3, "beside": BESIDE[name], "best": np.float64(0.25), "last": [1.5, None]}
    got = read(content, protocol)
    assert list(got) == ["epoch", "beside", "best", "last"]
    assert (got["epoch"], got["best"], got["last"]) == (3, 0.25, [1.5, None])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_weights_among_other_objects_are_read_in_both_layouts(tmp_path, layout, protocol):
    weights = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    things = {
        name: Plain(thing)
        for name, thing in BESIDE.items()
        if not isinstance(thing, (list, Average)) and name not in ("odd keys", "generator")
    }
    path = torch_file(
        tmp_path / "w.pth", {**things, "model": weights}, layout=layout, protocol=protocol
    )
    got = read_torch_weights(path)
    assert list(got) == ["a.weight"]
    np.testing.assert_array_equal(got["a.weight"], weights["a.weight"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("protocol", range(6))
def test_other_objects_of_torch_in_a_file_are_read(tmp_path, layout, protocol):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    named = torch.nn.Parameter(torch.ones(2))
    named.note = "a state of its own"
    content = {
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "types": [torch.float32, torch.device("cpu"), torch.Size([1, 2]), torch.strided],
        "random": torch.Generator().get_state(),
        "sparse": torch.eye(3).to_sparse(),
        "complex": torch.ones(2, dtype=torch.complex64),
        "float8": torch.ones(2).to(torch.float8_e4m3fn),
        "parameters": [named, torch.nn.Parameter(torch.ones(2))],
        "whole": net,
        "model": net.state_dict(),
    }
    path = tmp_path / "w.pth"
    zipped = layout == "zip"
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    got = read_torch_weights(path)
    assert got.keys() == net.state_dict().keys()
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(got[name], value.numpy())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tensor_of_an_unknown_class_is_read_as_a_tensor(tmp_path, layout, monkeypatch):
    torch = pytest.importorskip("torch")

    class Named(torch.Tensor):
        """A tensor with an attribute."""

    Named.__qualname__ = Named.__name__
    monkeypatch.setattr(sys.modules[__name__], "Named", Named, raising=False)
    weight = torch.arange(4.0).reshape(2, 2).as_subclass(Named)
    weight.note = "x"
    path = tmp_path / "w.pth"
    torch.save({"a.weight": weight}, path, _use_new_zipfile_serialization=layout == "zip")
    assert read_torch_weights(path)["a.weight"].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("name", ["quantised", "sparse", "complex", "of objects"])
def test_a_weight_that_no_array_holds_is_refused_by_key(tmp_path, name):
    strange = {
        "quantised": Call("torch._utils _rebuild_qtensor", 1, 2),
        "sparse": Call("torch._utils _rebuild_sparse_tensor", 1, 2),
        "complex": Call(
            "torch._utils _rebuild_tensor_v2",
            *(Storage("0", 2, "ComplexFloatStorage"), 0, (2,), (1,), False, {}),
        ),
        "of objects": Plain(BESIDE["objects"]),
    }[name]
    path = zip_file(tmp_path / "w.pth", {"a.bias": strange, "epoch": 3})
    with pytest.raises(ValueError, match=r"w\.pth cannot be read as weights: 'a\.bias' is an? "):
        read_torch_weights(path)


def test_an_unknown_object_is_a_record_that_does_nothing():
    record = read(b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.")
    assert isinstance(record, Record)
    assert (record.name, record.state, record.items) == ("posix.system", None, {})
    # It can be a key, be called again, take a state, items and keys.
    again = read(b"\x80\x02}cos\nsystem\n(tRNs" + b"cos\nsystem\n)R)R}bK\x01aK\x01K\x02s" + b"0.")
    assert [key.name for key in again] == ["os.system"]


SOUND = b"\x80\x02}(X\x01\x00\x00\x00aK\x01u."
BOMBS = {
    "text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"abc.",
    "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
    "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"abc.",
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + SOUND[2:-1],
    "memo": b"\x80\x02}r" + struct.pack("<I", (1 << 32) - 1) + b".",
    "long": b"\x80\x02\x8b" + struct.pack("<i", (1 << 31) - 1) + b"\x01.",
    "negative": b"\x80\x02\x8b" + struct.pack("<i", -1) + b"\x01.",
    "device": b"ctorch\ndevice\n(l" + b"(l2aa" * 40 + b"tR",
    "marks": b"(" * 100_000,
    "sets": b"\x80\x04" + b"\x8f" * 100_000 + b".",
    "tuples": b"\x80\x02)" + b"2\x86" * 100_000,
    "buffers": b"\x80\x05\x97\x98",
    "copies": b"\x80\x02]" + b"(" + b"N" * 1000 + b"e\x94"
    + b"ctorch\nSize\nh\x00\x85R0" * 10 + b"ccollections\nOrderedDict\nh\x00\x85R",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_pickle_does_not_take_much_memory(name, monkeypatch):
    most = 16 << 20
    monkeypatch.setattr(pth_machine, "MOST_BYTES", most)
    tracemalloc.start()
    try:
        with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError)):
            read(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def peak_of(make):
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_records_that_are_named_after_a_long_name_do_not_copy_it():
    name = b"a" * 1_000_000
    reference = b"(X\x07\x00\x00\x00storageh\x00X\x01\x00\x00\x000NNtQ"
    body = b"\x80\x02cx\n" + name + b"\nq\x000](" + reference * 100 + b"e."
    records, peak = peak_of(lambda: read(body))
    assert len(records) == 100
    assert peak < 10 << 20


def test_a_text_that_is_many_arrays_becomes_bytes_once():
    text = b"a" * 1_000_000
    start = b"\x80\x02X" + struct.pack("<I", len(text)) + text + b"q\x000"
    kind = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R"
    data = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    shape = b"J" + struct.pack("<i", len(text)) + b"\x85"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + shape + kind + b"\x89" + data + b"tb"
    )
    pairs = b"".join(b"X\x08\x00\x00\x00w.%06d" % i + array for i in range(50))
    body = start + b"}(" + pairs + b"u."
    found, peak = peak_of(lambda: find_candidates(read(body)))
    assert len(found.candidates[0].weights) == 50
    assert peak < 10 << 20


def test_objects_that_share_their_tensors_are_one_candidate():
    shared = {"a.weight": 1}
    body = pickle.dumps(shared, 2)[2:-1]
    made = b"ccopyreg\n_reconstructor\nca\nA\ncb\nB\nh\x05\x87R"
    pairs = b"".join(b"X\x02\x00\x00\x00%02d" % i + made for i in range(20))
    content = read(b"\x80\x02" + body + b"q\x050}(" + pairs + b"u.")
    view = TensorView(PthStorage(StorageType("<f4", 4, "FloatStorage")), 0, (0,), (1,), "<f4")
    content["00"].items["a.weight"] = view
    assert [candidate.key_path for candidate in find_candidates(content).candidates] == ["00"]


def test_more_tensors_than_any_network_has_are_refused():
    view = TensorView(PthStorage(StorageType("<f4", 4, "FloatStorage")), 0, (0,), (1,), "<f4")
    with pytest.raises(ValueError, match="it has more than 100,000 tensors"):
        find_candidates({"model": {f"w.{i}": view for i in range(100_001)}})


@pytest.mark.parametrize("shape", [(0, 1 << 61), (1 << 61, 0, 1 << 61)])
def test_an_empty_tensor_of_an_impossible_shape_is_unreadable(shape):
    view = TensorView(
        PthStorage(StorageType("<f4", 4, "FloatStorage")), 0, shape, (1,) * len(shape), "<f4"
    )
    with pytest.raises(UnreadableTensorError, match="an impossible shape"):
        view.to_array()


def test_an_array_of_text_that_is_no_bytes_is_unreadable():
    array = NumpyArray((LatinText("\u1234"), NumpyType("u1"), (1,), "C"))
    with pytest.raises(UnreadableTensorError, match="does not match its data"):
        array.to_array()


@pytest.mark.parametrize("kind", ["keys of one hash", "a long number", "deep lists"])
def test_unusual_content_is_read_quickly(kind):
    if kind == "keys of one hash":
        # Multiples of 2**61 - 1 all have the hash 0.
        keys = [(2**61 - 1) * i for i in range(1, 20_000)]
        pairs = b"".join(pickle.dumps(key, 2)[2:-1] + b"N" for key in keys)
        assert len(read(b"\x80\x02}(" + pairs + b"u.")) == len(keys)
    elif kind == "a long number":
        number = b"\x8b" + struct.pack("<i", 1 << 20) + b"\x01" * (1 << 20)
        assert len(read(b"\x80\x02}" + number + b"q\x00Ns" + b"h\x00Ns" * 50_000 + b".")) == 1
    else:
        depth = 100_000
        assert isinstance(read(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."), list)
