"""Write files in the layouts of torch.save, without torch and with any content."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
LAYOUTS = ("zip", "legacy")


class Storage:
    """The reference of a pickle to the data of a tensor."""

    def __init__(self, key, count, kind="FloatStorage"):
        self.key, self.count, self.kind = key, count, kind


class Call:
    """Is pickled as a call of a function of any name with these arguments."""

    def __init__(self, name, *arguments, state=None, items=None):
        self.name, self.arguments, self.state, self.items = name, arguments, state, items


class Plain:
    """An array that is written as NumPy pickles it."""

    def __init__(self, array):
        self.array = array


class Pickler(pickle._Pickler):
    """Writes references to torch without torch; arrays become tensors."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol=protocol)
        self.data = []

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            return ("storage", Call(f"torch {thing.kind}"), thing.key, "cpu", thing.count)
        return None

    def save(self, thing, save_persistent_id=True):
        if isinstance(thing, np.ndarray):
            self.data.append(np.ascontiguousarray(thing, np.float32))
            key, strides = str(len(self.data) - 1), self.data[-1].strides
            storage = Storage(key, thing.size)
            steps = tuple(stride // 4 for stride in strides)
            thing = tensor(0, thing.shape, steps, storage=storage)
        if isinstance(thing, Plain):
            super().save(thing.array)
        elif isinstance(thing, Call):
            self.write_call(thing)
        else:
            super().save(thing, save_persistent_id)

    def write_call(self, thing):
        module, _, name = thing.name.rpartition(" ")
        self.write(f"c{module}\n{name}\n".encode())
        if thing.name.startswith("torch ") and name.endswith("Storage"):
            return
        self.save(thing.arguments)
        self.write(b"R")
        if thing.items is not None:
            self.write(b"(")
            for part in thing.items.items():
                for item in part:
                    self.save(item)
            self.write(b"u")
        if thing.state is not None:
            self.save(thing.state)
            self.write(b"b")


def tensor(offset=0, size=(2, 2), stride=(2, 1), count=4, *, storage=None):
    storage = storage or Storage("0", count)
    arguments = (storage, offset, size, stride, False, OrderedDict())
    return Call("torch._utils _rebuild_tensor_v2", *arguments)


def pickled(thing, protocol=2):
    """Return the bytes of the pickle, and the data of the arrays in it."""
    buffer = io.BytesIO()
    pickler = Pickler(buffer, protocol)
    pickler.dump(thing)
    return buffer.getvalue(), pickler.data


def zip_file(path, thing, data=None, protocol=2):
    content, arrays = (thing, []) if isinstance(thing, bytes) else pickled(thing, protocol)
    parts = [array.tobytes() for array in arrays]
    parts = parts or [np.arange(4, dtype="<f4").tobytes() if data is None else data]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for key, part in enumerate(parts):
            archive.writestr(f"archive/data/{key}", part)
    return path


def legacy_file(path, thing, data=None, magic=MAGIC, count=None, protocol=2):
    content, arrays = (thing, []) if isinstance(thing, bytes) else pickled(thing, protocol)
    arrays = arrays or [np.arange(4, dtype="<f4") if data is None else np.frombuffer(data, "<f4")]
    start = [pickled(part)[0] for part in (magic, 1001, {"little_endian": True})]
    keys = pickled([str(key) for key in range(len(arrays))])[0]
    end = b"".join(
        struct.pack("<q", array.size if count is None else count) + array.tobytes()
        for array in arrays
    )
    path.write_bytes(b"".join([*start, content, keys, end]))
    return path


def torch_file(path, content, *, layout="zip", protocol=2):
    """Pickle plain values, arrays (as tensors) and calls as torch.save does."""
    write = {"zip": zip_file, "legacy": legacy_file}[layout]
    return write(path, content, protocol=protocol)
