import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from fastreid.utils.pth_reader import read_pth, state_dict_of

LAYOUTS = ["zip", "legacy"]


def torch_file(path, content, layout):
    torch = pytest.importorskip("torch")
    torch.save(content, path, _use_new_zipfile_serialization=layout == "zip")
    return path


class Storage:
    """What a hand-made pickle refers to as the data of a tensor."""

    def __init__(self, key, count):
        self.key, self.count = key, count


class FloatStorage:
    """Is written as torch.FloatStorage."""


class Rebuilt:
    """Is written as a call of torch._utils._rebuild_tensor_v2."""

    def __init__(self, *arguments):
        self.arguments = arguments


class Pickler(pickle._Pickler):
    """Writes references to torch without torch."""

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            return ("storage", FloatStorage, thing.key, "cpu", thing.count)
        return None

    def save(self, thing, save_persistent_id=True):
        if thing is FloatStorage:
            self.write(b"ctorch\nFloatStorage\n")
        elif isinstance(thing, Rebuilt):
            self.write(b"ctorch._utils\n_rebuild_tensor_v2\n")
            self.save(thing.arguments)
            self.write(b"R")
        else:
            super().save(thing, save_persistent_id)


def pickled(thing):
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(thing)
    return buffer.getvalue()


def tensor(offset=0, size=(2, 2), stride=(2, 1), count=4):
    return Rebuilt(Storage("0", count), offset, size, stride, False, OrderedDict())


def zip_file(path, thing, data=None):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", thing if isinstance(thing, bytes) else pickled(thing))
        floats = np.arange(4, dtype="<f4").tobytes()
        archive.writestr("archive/data/0", floats if data is None else data)
    return path


def legacy_file(path, thing, data=None, magic=0x1950A86A20F9469CFC6C, count=4):
    floats = np.arange(4, dtype="<f4").tobytes() if data is None else data
    parts = [magic, 1001, {"little_endian": True}, thing, ["0"]]
    path.write_bytes(b"".join(map(pickled, parts)) + struct.pack("<q", count) + floats)
    return path


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_file_made_by_hand_is_read_without_torch(tmp_path, write):
    content = read_pth(write(tmp_path / "w.pth", {"weight": tensor(), "epoch": 3}))
    assert content["epoch"] == 3
    np.testing.assert_array_equal(content["weight"], [[0, 1], [2, 3]])
    assert content["weight"].dtype == np.float32


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
    }
    content = read_pth(torch_file(tmp_path / "w.pth", tensors, layout))
    assert list(content) == list(tensors)
    for name, theirs in tensors.items():
        want = theirs.detach().float().numpy() if name == "bfloat16" else theirs.detach().numpy()
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
    path = torch_file(tmp_path / "model_best.pth", checkpoint, layout)
    content = read_pth(path)
    assert content["metric"] == 0.25
    weights = state_dict_of(content, path)
    assert list(weights) == ["module.weight", "module.bias"]
    np.testing.assert_array_equal(weights["module.weight"], net.weight.detach().numpy())


@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_a_nested_state_dict_is_found(key):
    content = {key: {"weight": np.ones(2)}, "epoch": 3}
    assert list(state_dict_of(content, "w.pth")) == ["weight"]


def test_tensors_that_share_data_are_independent_copies(tmp_path):
    shared = {"a": tensor(), "b": tensor(offset=2, size=(2,), stride=(1,))}
    content = read_pth(zip_file(tmp_path / "w.pth", shared))
    content["a"][:] = 9
    assert content["b"].tolist() == [2, 3]


class Runs:
    """Unpickling this would run a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_file_that_would_run_a_program_is_refused_and_runs_nothing(tmp_path, write):
    trace = tmp_path / "trace"
    path = write(tmp_path / "bad.pth", {"weight": Runs(f"touch {trace}")})
    with pytest.raises(ValueError, match=r"bad\.pth cannot be read.*system, which is not allowed"):
        read_pth(path)
    assert not trace.exists()


def test_a_pickled_module_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    path = torch_file(tmp_path / "whole.pth", torch.nn.Linear(2, 2), "zip")
    with pytest.raises(ValueError, match="not allowed in a weights file"):
        read_pth(path)


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
    with pytest.raises(ValueError, match="a tensor lies outside its data"):
        read_pth(zip_file(tmp_path / "w.pth", {"weight": outside}))


def test_a_few_bytes_do_not_become_much_memory(tmp_path):
    path = tmp_path / "w.pth"
    with pytest.raises(ValueError, match="a tensor lies outside its data"):
        read_pth(zip_file(path, {"weight": tensor(size=(10**6, 10**6), stride=(0, 0))}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled({"weight": tensor()}))
        archive.writestr("archive/data/0", bytes(16))
    with pytest.raises(ValueError, match="its data are compressed"):
        read_pth(path)
    with pytest.raises(ValueError, match="it ends before its data do"):
        read_pth(legacy_file(path, {"weight": tensor()}, data=b"", count=2**40))


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_number_for_an_object_far_away_is_refused(tmp_path, write):
    # LONG_BINPUT 2**31: the unpickler would make room for that many objects.
    far = b"\x80\x02}r" + struct.pack("<I", 2**31) + b"."
    path = tmp_path / "w.pth"
    if write is zip_file:
        zip_file(path, far)
    else:
        path.write_bytes(b"".join(map(pickled, [0x1950A86A20F9469CFC6C, 1001, {}])) + far)
    with pytest.raises(ValueError, match="object 2147483648 among the first 2"):
        read_pth(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_anywhere_is_refused_or_harmless(tmp_path, layout):
    torch = pytest.importorskip("torch")
    content = {"model": torch.nn.BatchNorm2d(3).state_dict(), "metric": np.float64(0.5)}
    whole = torch_file(tmp_path / "whole.pth", content, layout).read_bytes()
    rng, refused = np.random.RandomState(0), 0
    path = tmp_path / "damaged.pth"
    for _ in range(500):
        damaged = bytearray(whole)
        for place in rng.randint(len(whole), size=rng.randint(1, 30)):
            damaged[place] = rng.randint(256)
        path.write_bytes(damaged[: rng.randint(len(whole)) if rng.rand() < 0.2 else None])
        try:
            read_pth(path)
        except ValueError as error:
            assert "damaged.pth" in str(error)
            refused += 1
    assert refused > 250


def test_references_that_multiply_take_no_time(tmp_path):
    nested = [tensor()]
    for _ in range(200):
        nested = [nested, nested]
    content = read_pth(zip_file(tmp_path / "w.pth", {"nested": nested}))
    assert content["nested"][0] is content["nested"][1]


@pytest.mark.parametrize("name", ["collections OrderedDict", "torch._utils _rebuild_tensor_v2"])
def test_a_file_cannot_change_what_it_calls(tmp_path, name):
    module, _, function = name.partition(" ")
    call = f"c{module}\n{function}\n".encode()
    state = b"\x80\x02" + call + b"N}X\x08\x00\x00\x00__call__Ns\x86b."
    with pytest.raises(ValueError, match="cannot be read"):
        read_pth(zip_file(tmp_path / "w.pth", state))
    content = read_pth(zip_file(tmp_path / "good.pth", {"weight": tensor()}))
    assert content["weight"].shape == (2, 2)


@pytest.mark.parametrize("code", ["O8", "V8", "f3", "M8"])
def test_a_scalar_of_an_unusual_type_is_refused(tmp_path, code):
    scalar = b"cnumpy\ndtype\n(X\x02\x00\x00\x00" + code.encode() + b"\x89\x88tR"
    content = b"\x80\x02}X\x01\x00\x00\x00aq\x00" + scalar + b"s."
    with pytest.raises(ValueError, match="a NumPy scalar of type"):
        read_pth(zip_file(tmp_path / "w.pth", content))


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_truncated_file_is_refused(tmp_path, write):
    path = write(tmp_path / "w.pth", {"weight": tensor()})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"w\.pth cannot be read as PyTorch weights"):
        read_pth(path)


def test_files_of_other_kinds_are_refused(tmp_path):
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(ValueError, match="It must be a file that torch.save wrote"):
        read_pth(tmp_path / "text.pth")
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="a zip archive, but not one of torch.save"):
        read_pth(tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not begin like a file of torch.save"):
        read_pth(legacy_file(tmp_path / "magic.pth", {}, magic=5))
    with pytest.raises(FileNotFoundError, match=r"none\.pth does not exist"):
        read_pth(tmp_path / "none.pth")


def test_a_file_without_a_dict_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a list, not a dict"):
        read_pth(zip_file(tmp_path / "list.pth", [tensor()]))


def test_what_is_no_state_dict_is_refused():
    with pytest.raises(ValueError, match=r"w\.pth holds no model weights: it has \['model'\]"):
        state_dict_of({"model": {}}, "w.pth")
    with pytest.raises(ValueError, match=r"w\.pth is not a state dict: \['model'\] are not tens"):
        state_dict_of({"model": 3}, "w.pth")
    with pytest.raises(ValueError, match=r"w\.pth is not a state dict: \['epoch'\] are not tens"):
        state_dict_of({"weight": np.zeros(2), "epoch": 3}, "w.pth")
