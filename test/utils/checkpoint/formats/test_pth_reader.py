import io
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastreid.utils.checkpoint.formats.pth_reader import read_pth
from fastreid.utils.checkpoint.formats.torch_pickle import load_pickle
from fastreid.utils.checkpoint.weights_file import read_torch_weights
from test.utils.checkpoint.pth_files import (
    LAYOUTS,
    MAGIC,
    Call,
    legacy_file,
    pickled,
    tensor,
    zip_file,
)


def saved_by_torch(path, content, layout, protocol=2):
    torch = pytest.importorskip("torch")
    torch.save(
        content, path, _use_new_zipfile_serialization=layout == "zip", pickle_protocol=protocol
    )
    return path


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_file_made_by_hand_is_read_without_torch(tmp_path, write):
    path = write(tmp_path / "w.pth", {"weight": tensor(), "epoch": 3})
    assert read_pth(path)["epoch"] == 3
    weights = read_torch_weights(path)
    assert list(weights) == ["weight"]
    np.testing.assert_array_equal(weights["weight"], [[0, 1], [2, 3]])
    assert weights["weight"].dtype == np.float32


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_of_all_types_and_shapes_are_those_of_torch(tmp_path, layout):
    torch = pytest.importorskip("torch")
    matrix = torch.arange(6.0).reshape(2, 3)
    tensors = {
        "double": matrix.double(),
        "float": matrix,
        "half": matrix.half(),
        "long": matrix.long(),
        "int": matrix.int(),
        "short": matrix.short(),
        "char": matrix.char(),
        "byte": matrix.byte(),
        "bool": matrix > 2,
        "bfloat16": matrix.bfloat16(),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "transposed": matrix.T,
        "part": matrix[1:, 1:],
        "parameter": torch.nn.Parameter(matrix),
        "unsigned": torch.arange(3).to(torch.uint16),
    }
    tensors = {f"a.{name}": value for name, value in tensors.items()}
    content = read_torch_weights(saved_by_torch(tmp_path / "w.pth", tensors, layout))
    assert list(content) == list(tensors)
    for name, theirs in tensors.items():
        want = theirs.detach().float().numpy() if name == "a.bfloat16" else theirs.detach().numpy()
        assert content[name].dtype == want.dtype, name
        np.testing.assert_array_equal(content[name], want)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_fast_reid_checkpoint_is_read(tmp_path, layout):
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(2, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    checkpoint = {
        "model": {f"module.{name}": value for name, value in net.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "metric": np.float64(0.25),
        "epoch": 7,
    }
    path = saved_by_torch(tmp_path / "model_best.pth", checkpoint, layout)
    assert read_pth(path)["metric"] == 0.25
    weights = read_torch_weights(path)
    assert list(weights) == ["weight", "bias"]
    np.testing.assert_array_equal(weights["weight"], net.weight.detach().numpy())


def test_tensors_cannot_be_written_to_so_that_shared_data_stay_as_they_are(tmp_path):
    shared = {"a": tensor(), "b": tensor(offset=2, size=(2,), stride=(1,))}
    weights = read_torch_weights(zip_file(tmp_path / "w.pth", shared))
    with pytest.raises(ValueError, match="read-only"):
        weights["a"][:] = 9
    assert weights["b"].tolist() == [2, 3]


class Runs:
    """Unpickling this would run a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_weight_that_would_execute_code_is_an_error_and_nothing_is_executed(tmp_path, write):
    trace = tmp_path / "trace"
    path = write(tmp_path / "bad.pth", {"a": tensor(), "weight": Runs(f"touch {trace}")})
    with pytest.raises(ValueError, match=r"bad\.pth cannot .*'weight' is an object of \w+\.system"):
        read_torch_weights(path)
    assert not trace.exists()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_network_is_refused_with_its_class_and_the_remedy(tmp_path, layout):
    torch = pytest.importorskip("torch")
    for content, place in ((torch.nn.Linear(2, 2), ""), ({"net": torch.nn.Linear(2, 2)}, "'net'")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = saved_by_torch(tmp_path / "whole.pth", content, layout)
        text = rf"whole\.pth holds a whole network.*{place}.*torch\.nn\.modules\.linear\.Linear\..*"
        with pytest.raises(ValueError, match=rf"{text}torch\.save\(model\.state_dict\(\)"):
            read_torch_weights(path)


@pytest.mark.parametrize(
    "outside",
    [
        tensor(offset=1),
        tensor(offset=-1),
        tensor(stride=(3, 1)),
        tensor(stride=(-1, 1)),
        tensor(size=(2, 2, 2)),
    ],
)
def test_a_tensor_outside_its_data_is_refused(tmp_path, outside):
    path = zip_file(tmp_path / "w.pth", {"weight": outside})
    with pytest.raises(ValueError, match=r"w\.pth .*'weight' is a tensor that exceeds its data"):
        read_torch_weights(path)


def test_small_files_do_not_allocate_much_memory(tmp_path):
    path = tmp_path / "w.pth"
    with pytest.raises(ValueError, match="exceeds its data"):
        read_torch_weights(zip_file(path, {"weight": tensor(size=(10**6, 10**6), stride=(0, 0))}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled({"weight": tensor()})[0])
        archive.writestr("archive/data/0", bytes(16))
    with pytest.raises(ValueError, match="its data are compressed"):
        read_pth(path)
    with pytest.raises(ValueError, match="it ends before the end of its data"):
        read_pth(legacy_file(path, {"weight": tensor()}, data=b"", count=2**40))


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_memo_number_out_of_range_is_an_error(tmp_path, write):
    # LONG_BINPUT 2**31: Python's unpickler would allocate memory for that many objects.
    far = b"\x80\x02}r" + struct.pack("<I", 2**31) + b"."
    path = tmp_path / "w.pth"
    if write is zip_file:
        zip_file(path, far)
    else:
        legacy_file(path, far)
    with pytest.raises(ValueError, match="object 2147483648 among the first 2"):
        read_pth(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_anywhere_is_an_error_or_harmless(tmp_path, layout):
    torch = pytest.importorskip("torch")
    content = {"model": torch.nn.BatchNorm2d(3).state_dict(), "metric": np.float64(0.5)}
    whole = saved_by_torch(tmp_path / "whole.pth", content, layout).read_bytes()
    rng, refused = np.random.RandomState(0), 0
    path = tmp_path / "damaged.pth"
    for _ in range(500):
        damaged = bytearray(whole)
        for place in rng.randint(len(whole), size=rng.randint(1, 30)):
            damaged[place] = rng.randint(256)
        path.write_bytes(damaged[: rng.randint(len(whole)) if rng.rand() < 0.2 else None])
        try:
            read_torch_weights(path)
        except ValueError as error:
            assert "damaged.pth" in str(error)
            refused += 1
    assert refused > 250


def test_nested_references_are_read_quickly(tmp_path):
    nested = {"weight": tensor()}
    for _ in range(200):
        nested = {"a": nested, "b": nested}
    with pytest.raises(ValueError, match="holds no model weights"):
        read_torch_weights(zip_file(tmp_path / "w.pth", nested))
    # A dict with the key (t, t), where t is (u, u) and so on: hashing it would take forever.
    key = b")" + b"2\x86" * 200
    assert len(load_pickle(io.BytesIO(b"\x80\x02}" + key + b"Ns."), {})) == 1


@pytest.mark.parametrize("name", ["collections OrderedDict", "torch._utils _rebuild_tensor_v2"])
def test_a_file_cannot_change_what_it_calls(tmp_path, name):
    module, _, function = name.partition(" ")
    call = f"c{module}\n{function}\n".encode()
    state = b"\x80\x02" + call + b"N}X\x08\x00\x00\x00__call__Ns\x86b."
    with pytest.raises(ValueError, match="holds a Known, not a dict"):
        read_torch_weights(zip_file(tmp_path / "w.pth", state))
    weights = read_torch_weights(zip_file(tmp_path / "good.pth", {"weight": tensor()}))
    assert weights["weight"].shape == (2, 2)


@pytest.mark.parametrize("code", ["O8", "V8", "f3", "M8"])
def test_a_scalar_of_an_unusual_type_is_a_record(tmp_path, code):
    scalar = Call("numpy.core.multiarray scalar", Call("numpy dtype", code, False, True), b"1" * 8)
    path = zip_file(tmp_path / "w.pth", {"weight": tensor(), "best": scalar})
    assert read_pth(path)["best"].name == "numpy scalar"
    assert list(read_torch_weights(path)) == ["weight"]


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_truncated_file_is_refused(tmp_path, write):
    path = write(tmp_path / "w.pth", {"weight": tensor()})
    path.write_bytes(path.read_bytes()[:-9])
    reason = {zip_file: "its end is missing", legacy_file: "it ends before the end of its data"}[
        write
    ]
    with pytest.raises(ValueError, match=rf"w\.pth cannot be read as PyTorch weights: {reason}"):
        read_torch_weights(path)


def test_archives_of_other_programs_are_refused(tmp_path):
    for name, match in (
        ("w/model.pth", r"a zip archive of 'w/model\.pth'; unpack it and use the file inside"),
        ("arr_0.npy", r"an archive of NumPy arrays \(.npz\)"),
        ("m/constants.pkl", "a TorchScript program; load it with torch.jit.load"),
        ("model.weights.h5", "a model of Keras"),
    ):
        with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
            archive.writestr(name, "hello")
        with pytest.raises(ValueError, match=rf"other\.pth .*{match}"):
            read_pth(tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not begin like a file of torch.save"):
        read_pth(legacy_file(tmp_path / "magic.pth", {}, magic=5))
    with pytest.raises(FileNotFoundError, match=r"none\.pth does not exist"):
        read_pth(tmp_path / "none.pth")


def test_data_that_take_more_than_the_file_are_refused(tmp_path):
    path = zip_file(tmp_path / "w.pth", {"weight": tensor()})
    # The size of the entry, in the archive's directory and before its data.
    claimed = path.read_bytes().replace(
        struct.pack("<2L", 16, 16), struct.pack("<2L", 1 << 30, 1 << 30)
    )
    path.write_bytes(claimed)
    with pytest.raises(ValueError, match=r"w\.pth cannot be read .*are larger than the file"):
        read_pth(path)


def test_missing_checksums_of_torch_are_not_checked(tmp_path):
    torch = pytest.importorskip("torch")
    if not hasattr(torch.serialization, "set_crc32_options"):
        pytest.skip("this version of torch always writes them")
    path = tmp_path / "w.pth"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a.weight": torch.arange(4.0)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_torch_weights(path)["a.weight"].tolist() == [0, 1, 2, 3]


def test_a_changed_bit_in_the_data_is_noticed(tmp_path):
    path = zip_file(tmp_path / "w.pth", {"weight": tensor()})
    changed = path.read_bytes().replace(struct.pack("<f", 3), struct.pack("<f", 3.5))
    path.write_bytes(changed)
    with pytest.raises(ValueError, match=r"w\.pth cannot be read .*Bad CRC-32"):
        read_pth(path)


@pytest.mark.parametrize("place", ["protocol", "keys"])
def test_nested_lists_are_not_printed(tmp_path, place):
    # Each list contains the previous one twice: the text would have 2**60 characters.
    laughs = b"\x80\x02]" + b"q\x00](h\x00h\x00e" * 60 + b"."
    lists = b"\x80\x02](" + laughs[2:-1] + b"e."
    parts = [pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True}, {}, [])]
    parts[{"protocol": 1, "keys": 4}[place]] = lists
    (tmp_path / "w.pth").write_bytes(b"".join(parts))
    with pytest.raises(ValueError, match=r"w\.pth cannot be read as PyTorch weights") as error:
        read_pth(tmp_path / "w.pth")
    assert len(str(error.value)) < 1000


def test_a_file_without_a_dict_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a list, not a dict"):
        read_torch_weights(zip_file(tmp_path / "list.pth", [tensor()]))
    with pytest.raises(ValueError, match=r"holds no model weights: it has \['epoch', 'model'\]"):
        read_torch_weights(zip_file(tmp_path / "w.pth", {"model": {}, "epoch": 3}))


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_tensors_or_arrays_is_read(tmp_path, protocol):
    torch = pytest.importorskip("torch")
    path, state = tmp_path / "w.pkl", torch.nn.BatchNorm1d(3).state_dict()
    arrays = {name: value.numpy() for name, value in state.items()}
    for content in (state, arrays, {"model": arrays, "path": Path("x"), "none": None}):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        weights = read_torch_weights(path)
        assert weights.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(weights[name], array)


def test_what_python_2_pickled_is_read():
    # A dict of protocol 0, with bytes and a long as Python 2 wrote them.
    content = b"(dp0\nS'caf\\xe9'\np1\nL12L\nsS'b'\nF1.5\nsS'c'\n(lp2\nI3\naI01\nas."
    assert load_pickle(io.BytesIO(content), {}) == {"caf\xe9": 12, "b": 1.5, "c": [3, True]}
