"""Damaged and hostile files: each is read, or refused with an error that names it."""

import io
import os
import pickle
import resource
import sys
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.data.data_utils import ImageError, read_image
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.checkpoint_list import CheckpointList
from fastreid.utils.checkpoint.files import DamagedCheckpointError, read_checkpoint
from fastreid.utils.checkpoint.formats.pth_writer import write_pth
from fastreid.utils.checkpoint.weights_file import read_torch_weights, write_weights
from test.faults import table
from test.faults.mutations import mutated

# Far more than any of these small files needs.
MOST_SECONDS = 5.0
MOST_NUMBERS = 1_000_000


def refused_or(read, path, errors, content):
    """Write and read a damaged file: what it gave, or None if it was refused by its name."""
    path.write_bytes(content)
    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            # For users they are warnings; the tests make errors of them.
            warnings.simplefilter("ignore")
            result = read(path)
    except errors as error:
        assert path.name in str(error), f"not named: {type(error).__name__}: {error}"
        result = None
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    assert time.monotonic() - started < MOST_SECONDS
    return result


IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 12, 3), dtype=np.uint8))
IMAGE_KINDS = {
    "jpg": {"quality": 90},
    "png": {},
    "bmp": {},
    "gif": {},
    "tif": {"compression": "tiff_lzw"},
    "webp": {"quality": 80},
}


def with_rotation():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_damaged_images_are_read_or_refused_by_name(tmp_path, kind):
    whole, path = io.BytesIO(), tmp_path / f"damaged.{kind}"
    exif = {} if kind in ("bmp", "gif") else {"exif": with_rotation()}
    IMAGE.save(whole, {"jpg": "jpeg", "tif": "tiff"}.get(kind, kind), **IMAGE_KINDS[kind], **exif)

    def check(content):
        image = refused_or(lambda p: read_image(str(p)), path, ImageError, content)
        assert image is None or image.mode == "RGB"

    table.survive(f"damaged {kind} images", mutated(whole.getvalue(), 110, seed=1), check)


CONFIG = """
_BASE_: base.yml
SEED: 3
MODEL:
  BACKBONE: {NAME: build_resnet_backbone, DEPTH: 50x, WITH_IBN: True, LAST_STRIDE: 1}
  LOSSES: {NAME: ["TripletLoss"], TRI: {MARGIN: 0.3, HARD_MINING: True}}
  PIXEL_MEAN: &mean [1.5, 2.5, 3.5]
INPUT: {SIZE_TRAIN: [256, 128], REA: {VALUE: *mean}}
SOLVER:
  STEPS: [40, 90]
  BASE_LR: 3.5e-4
OUTPUT_DIR: 'logs'
"""


def leaves(node, above=""):
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def test_damaged_configs_are_refused_or_keep_the_types_of_all_keys(tmp_path):
    (tmp_path / "base.yml").write_text("SEED: 1\n")
    path = tmp_path / "damaged.yml"
    kinds = {key: type(value) for key, value in leaves(get_cfg())}

    def read(path):
        cfg = get_cfg()
        cfg.merge_from_file(path)
        return cfg

    def check(content):
        errors = (ValueError, KeyError, TypeError, FileNotFoundError)
        cfg = refused_or(read, path, errors, content)
        if cfg is not None:
            assert {key: type(value) for key, value in leaves(cfg)} == kinds

    table.survive("damaged configs", mutated(CONFIG.encode(), 400, seed=2), check)


HOSTILE_CONFIGS = [
    "SEED: !!python/object/apply:os.mkdir ['{trace}']",
    "SEED: !!python/object/new:os.mkdir ['{trace}']",
    "SEED: !!python/name:os.system",
    "!!python/module:os",
    "SEED: !!python/object:subprocess.Popen {{args: [touch, '{trace}']}}",
    "SEED: 2020-13-45",
    "SEED: " + "9" * 5000,
    "SEED: " + "[" * 3000,
    "{{" * 3000,
    "SEED: &a [*a]",
    "SOLVER: {{STEPS: &a [*a]}}",
    "SOLVER:\n  STEPS:\n  - &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"  - &{y} [{', '.join(['*' + x] * 10)}]\n" for x, y in zip("abcdefgh", "bcdefghi")),
    "SEED: " + "9" * 2_000_000,
    "_BASE_: ~nobody_has_this_name/a.yml",
    "a: &a [x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    ),
    "_BASE_: 3",
    "_BASE_: [base.yml]",
    "_BASE_: .",
    "_BASE_: " + "a/" * 5000,
    "_BASE_: 'a\\0b'",
    "? [SEED]\n: 3",
    "1: 2",
    "null: 3",
    "SEED: .nan",
    "SOLVER: {{STEPS: '(' }}",
    "SOLVER: {{STEPS: '" + "(" * 500 + "' }}",
    "SOLVER: {{STEPS: '" + "-" * 5000 + "1' }}",
    "MODEL: {{BACKBONE: !!set {{a}}}}",
]


def test_hostile_configs_are_refused_and_execute_nothing(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "hostile.yml"

    def check(text):
        errors = (ValueError, KeyError, TypeError, FileNotFoundError)
        content = text.format(trace=trace).encode()
        assert refused_or(get_cfg().merge_from_file, path, errors, content) is None
        assert not trace.exists()

    table.survive("hostile configs", HOSTILE_CONFIGS, check)


def weights():
    rng = np.random.default_rng(3)
    shapes = {"conv.weight": (4, 3, 3, 3), "bn.weight": (4,), "bn.running_mean": (4,)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def sound(path, kind):
    if kind == "zip":
        write_pth(path, weights(), key="model")
    elif kind == "legacy":
        torch = pytest.importorskip("torch")
        state = {name: torch.from_numpy(value) for name, value in weights().items()}
        torch.save({"model": state, "epoch": 3}, path, _use_new_zipfile_serialization=False)
    else:
        write_weights(path, weights())
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_damaged_weights_are_refused_or_stay_small(tmp_path, kind):
    path = tmp_path / ("damaged.safetensors" if kind == "safetensors" else "damaged.pth")

    def check(content):
        read = refused_or(read_torch_weights, path, ValueError, content)
        assert sum(value.size for value in (read or {}).values()) < MOST_NUMBERS

    table.survive(f"damaged weights, {kind}", mutated(sound(path, kind), 250, seed=4), check)


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self._call = (function, arguments)

    def __reduce__(self):
        return self._call


def hostile_pickles(trace):
    """Pickles that execute something if their content is executed."""
    command = f"touch {trace}"
    source = f"open({str(trace)!r}, 'w')"
    calls = [
        Call(os.system, command),
        Call(eval, source),
        Call(exec, source),
        Call(os.mkdir, str(trace)),
        Call(__import__, "os"),
        Call(open, str(trace), "w"),
        Call(Path.touch, Path(trace)),
        Call(bytearray, 1 << 40),
        Call(bytes, 1 << 40),
    ]
    plain = [pickle.dumps({"model": {"a": call}}, protocol=2) for call in calls]
    plain += [pickle.dumps({"model": call}, protocol=4) for call in calls]
    return [
        *plain,
        f"cos\nsystem\n(S'{command}'\ntR.".encode(),
        f"cposix\nsystem\nX{'x' * 3}".encode(),
        f"(S'{command}'\nios\nsystem\n.".encode(),
        f"cbuiltins\ngetattr\n(ccollections\nOrderedDict\nS'__init__'\ntR(S'{command}'\ntR.".encode(),
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'12345678'\ntR.",
        b"ctorch\nSize\n(lp0\ng0\natR.",
        b"\x80\x02}q\xff.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"(" * 100_000 + b".",
        b"]" + b"]a" * 0 + b"(lp0\ng0\na.",
    ]


def in_all_layouts(contents):
    """Plain pickles, and the same as files of torch.save in its two layouts."""
    start = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    head = b"".join(pickle.dumps(part, protocol=2) for part in start)
    keys = pickle.dumps([], protocol=2)
    for content in contents:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", content)
        yield from (content, head + content + keys, buffer.getvalue())


def test_hostile_pickles_do_nothing(tmp_path):
    trace = tmp_path / "trace"
    path = tmp_path / "hostile.pth"

    def check(content):
        read = refused_or(read_torch_weights, path, ValueError, content)
        assert read is None
        assert not trace.exists()

    table.survive("hostile pickles", list(in_all_layouts(hostile_pickles(trace))), check)


# Of modules that are there, so that importing or calling them would show.
MODULES = ("os", "posix", "builtins", "subprocess", "shutil", "pathlib", "torch.nn", "a.b", "sys")
FUNCTIONS = ("system", "mkdir", "eval", "exec", "Popen", "Path", "Linear", "x", "exit", "rmtree")
# Opcodes without an argument that do something to the stack; the rest is made below.
OPCODES = [bytes([code]) for code in b")]}(l20R\x81b\x85\x86\x87ts\x94\x8f\x90\x91aeuNKQo1d\x92"]
UNKNOWN_PICKLES = 1000
MOST_MEMORY = 1 << 30
WEIGHT = np.arange(6.0).reshape(2, 3)
WEIGHTS_BEFORE = (pickle.dumps("model", 2) + pickle.dumps({"a.weight": WEIGHT}, 2)).replace(
    b".\x80\x02", b""
)[2:-1]


def unknown_globals(rng, trace):
    """A random pickle of weights with unknown globals, and whether it is damaged.

    The globals are called, built, extended and used as keys.
    """
    parts = [b"\x80\x04}(" + WEIGHTS_BEFORE]
    for number in range(rng.integers(2, 40)):
        module, name = rng.choice(MODULES), rng.choice(FUNCTIONS)
        command = f"touch {trace}"
        found = f"c{module}\n{name}\n".encode()
        if rng.random() < 0.5:
            found = (
                b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93"
            )
        argument = b"X" + len(command).to_bytes(4, "little") + command.encode()
        thing = {
            0: found,
            1: found + argument + b"\x85R",
            2: found + argument + b"\x85\x81}X\x01\x00\x00\x00aNsb",
            3: found + argument + b"\x85R(K\x01K\x02e",
            4: found + argument + b"\x85R(" + found + b"Nu",
            5: b"(" + argument + b"i" + f"{module}\n{name}\n".encode(),
            6: b"(" + found + argument + b"o",
            7: found + b")R\x94h\x00\x85R",
        }[int(rng.integers(8))]
        key = found if rng.random() < 0.3 else b"K" + bytes([number])
        parts += [key, thing]
    parts.append(b"u")
    is_damaged = rng.random() < 0.5
    if is_damaged:
        place = int(rng.integers(1, len(parts)))
        noise = [OPCODES[i] for i in rng.integers(len(OPCODES), size=rng.integers(1, 30))]
        parts[place:place] = noise
    return b"".join(parts) + b".", is_damaged


def test_pickles_of_unknown_globals_do_nothing_and_take_little_memory(tmp_path):
    rng, trace, path = np.random.default_rng(8), tmp_path / "trace", tmp_path / "unknown.pth"
    before = {name for name in sys.modules if name.split(".")[0] in ("torch", "a")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def check(case):
        content, is_damaged = case
        read = refused_or(read_torch_weights, path, ValueError, content)
        assert not trace.exists()
        assert is_damaged or np.array_equal(read["a.weight"], WEIGHT)

    cases = [unknown_globals(rng, trace) for _ in range(UNKNOWN_PICKLES // 3 + 1)]
    files = [(file, damaged) for content, damaged in cases for file in in_all_layouts([content])]
    table.survive("pickles of unknown globals", files[:UNKNOWN_PICKLES], check)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) << 10
    assert grown < MOST_MEMORY
    after = {name for name in sys.modules if name.split(".")[0] in ("torch", "a")}
    assert after == before


@pytest.fixture
def checkpoint(tmp_path):
    """The bytes of a small checkpoint."""
    Checkpointer(ms.nn.Dense(3, 2), tmp_path).save("sound", epoch=1, config="SEED: 1\n")
    return (tmp_path / "sound.ckpt").read_bytes()


def test_damaged_checkpoints_are_always_refused(tmp_path, checkpoint):
    path = tmp_path / "damaged.ckpt"

    def check(content):
        assert refused_or(read_checkpoint, path, DamagedCheckpointError, content) is None

    table.survive("damaged checkpoints", mutated(checkpoint, 300, seed=5), check)


def test_altered_checkpoints_with_a_right_check_sum_are_refused_or_stay_small(tmp_path, checkpoint):
    path = tmp_path / "stranger.ckpt"
    body = checkpoint[:-17]

    def check(changed):
        content = changed + b"crc_num" + zlib.crc32(changed).to_bytes(10, "big")
        read = refused_or(read_checkpoint, path, DamagedCheckpointError, content)
        if read is not None:
            assert sum(value.nbytes for value in read.model.values()) <= len(content)

    table.survive("checkpoints of strangers", mutated(body, 300, seed=6), check)


def test_damaged_lists_of_checkpoints_are_refused_or_name_files_of_their_folder(tmp_path):
    path = tmp_path / "last_checkpoint"

    def check(content):
        names = refused_or(lambda p: CheckpointList(p.parent).read(), path, ValueError, content)
        for name in names or []:
            assert (tmp_path / name).parent == tmp_path

    names = b"model_iter_0000010.ckpt\nmodel_iter_0000009.ckpt\nmodel_best.ckpt\n"
    table.survive("damaged lists of checkpoints", mutated(names, 150, seed=7), check)
