import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastreid.config import load_config
from fastreid.modeling import build_model
from fastreid.modeling.backbones import fuse_repvgg
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights import load_weights
from fastreid.utils.checkpoint.weights_file import read_torch_weights, write_weights
from test.modeling.backbones.families import backbone_cfg
from test.utils.checkpoint.pth_files import torch_file
from test.utils.checkpoint.test_names import acl_model
from tools.convert_weights import convert as convert_here

ROOT = Path(__file__).parents[2]
CONFIG = """
_BASE_: {base}
MODEL:
  BACKBONE: {{DEPTH: tiny, FEAT_DIM: 512}}
"""
# Runs the tool with an import error for torch.
WITHOUT_TORCH = """
import runpy, sys
sys.modules["torch"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def convert(*arguments):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(ROOT / "tools" / "convert_weights.py")]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=100
    )


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yml"
    path.write_text(CONFIG.format(base=ROOT / "configs" / "bagtricks_DR50_mix.yml"))
    return path


@pytest.fixture
def source(tmp_path):
    """A checkpoint of the original, as torch saves it."""
    torch = pytest.importorskip("torch")
    weights = export_weights(acl_model())
    path = tmp_path / "model_best.pth"
    tensors = {f"module.{name}": torch.tensor(value) for name, value in weights.items()}
    torch.save({"model": tensors, "epoch": 3}, path)
    return path


def test_a_round_trip_through_all_formats_is_bit_exact_without_torch(tmp_path, source, config):
    files = [source, *(tmp_path / f"w{end}" for end in (".ckpt", ".safetensors", ".pt"))]
    for src, dst in zip(files, files[1:]):
        result = convert(src, dst, "--config-file", config)
        assert result.returncode == 0, result.stderr
        assert f"{dst}: " in result.stdout
        if src == source:
            assert "taken from 'model'; names without 'module.'" in result.stderr
    want, got = (read_torch_weights(path) for path in (files[0], files[-1]))
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert got[name].tobytes() == value.tobytes(), name


def test_weights_of_another_model_are_named_and_nothing_is_written(tmp_path, source, config):
    weights = read_torch_weights(source)
    del weights["backbone.conv1.weight"]
    weights["backbone.bn1.weight"] = np.ones(7, np.float32)
    weights["stranger"] = np.ones(7, np.float32)
    write_weights(tmp_path / "other.pth", weights)
    result = convert(tmp_path / "other.pth", tmp_path / "other.ckpt", "--config-file", config)
    assert result.returncode == 1
    for text in ("1 missing: backbone.conv1.weight", "1 unexpected: stranger", "bn1.weight (7,)"):
        assert text in result.stderr
    assert not (tmp_path / "other.ckpt").exists()


def test_invalid_input_is_one_line_and_no_file_is_written(tmp_path, source):
    class Runs:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'trace'}",)

    (tmp_path / "hostile.pth").write_bytes(pickle.dumps({"weight": Runs()}))
    (tmp_path / "short.pth").write_bytes(source.read_bytes()[:-100])
    for name, target, message in (
        ("gone.pth", "w.ckpt", "gone.pth does not exist"),
        ("hostile.pth", "w.ckpt", "'weight' is an object of posix.system"),
        ("short.pth", "w.ckpt", "cannot be read as PyTorch weights"),
        ("model_best.pth", "w.onnx", "is not a weights file"),
        ("model_best.pth", "model_best.pth", "are the same file"),
    ):
        before = sorted(tmp_path.iterdir())
        result = convert(tmp_path / name, tmp_path / target)
        assert result.returncode == 1, name
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert sorted(tmp_path.iterdir()) == before


def test_weights_under_a_key_path_are_converted(tmp_path):
    sets = {key: {"a.weight": np.full(2, i, np.float32)} for i, key in enumerate(("model", "ema"))}
    source = torch_file(tmp_path / "two.t7", sets)
    for place, message in (("", "two.t7::ema"), ("::other", "has no weights at 'other'")):
        with pytest.raises(ValueError, match=message):
            convert_here(Path(f"{source}{place}"), tmp_path / "w.safetensors")
    convert_here(Path(f"{source}::ema"), tmp_path / "w.safetensors")
    assert read_torch_weights(tmp_path / "w.safetensors")["a.weight"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="SRC and DST are the same file"):
        convert_here(Path(f"{source.rename(tmp_path / 'two.pth')}::ema"), tmp_path / "two.pth")


@pytest.mark.parametrize("end", [".ckpt", ".safetensors"])
def test_a_key_for_a_file_that_has_none_is_refused(tmp_path, end):
    src = torch_file(tmp_path / "w.pth", {"a.weight": np.ones(2)})
    with pytest.raises(ValueError, match=rf"--key model is for PyTorch files .*w\{end} has no"):
        convert_here(src, tmp_path / f"w{end}", key="model")
    assert not (tmp_path / f"w{end}").exists()


@pytest.fixture(scope="module")
def repvgg(tmp_path_factory):
    """A config of RepVGG, and a checkpoint of its model."""
    folder = tmp_path_factory.mktemp("repvgg")
    cfg = backbone_cfg("MODEL.BACKBONE.NAME build_repvgg_backbone MODEL.BACKBONE.DEPTH A0")
    cfg.MODEL.BACKBONE.FEAT_DIM = 1280
    cfg.MODEL.HEADS.NUM_CLASSES = 4
    config = folder / "repvgg.yml"
    config.write_text(cfg.dump())
    write_weights(folder / "repvgg.ckpt", export_weights(build_model(cfg)))
    return config, folder / "repvgg.ckpt"


@pytest.mark.parametrize("suffix", [".ckpt", ".pth"])
def test_a_fused_repvgg_fits_the_fused_model(tmp_path, repvgg, suffix):
    config, source = repvgg
    fused = tmp_path / f"fused{suffix}"
    convert_here(source, fused, config_file=str(config), fuse=True)
    trained, written = read_torch_weights(source), read_torch_weights(fused)
    for name, value in fuse_repvgg(trained).items():
        np.testing.assert_array_equal(written[name], value)
    cfg = load_config(config)
    cfg.MODEL.BACKBONE.DEPLOY = True
    load_weights(build_model(cfg), written)


def test_what_cannot_be_fused_is_named_and_nothing_is_written(tmp_path, repvgg, source):
    with pytest.raises(ValueError, match="--fuse: .*model_best.pth: .* no block of a RepVGG"):
        convert_here(source, tmp_path / "fused.ckpt", fuse=True)
    convert_here(repvgg[1], tmp_path / "once.ckpt", fuse=True)
    with pytest.raises(ValueError, match="--fuse: .*once.ckpt: .* fused already"):
        convert_here(tmp_path / "once.ckpt", tmp_path / "twice.ckpt", fuse=True)
    assert {path.name for path in tmp_path.glob("*.ckpt")} == {"once.ckpt"}
