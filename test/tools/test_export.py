"""tools/export.py, and tools/extract_features.py --model on its files."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.deploy import Embedder
from fastreid.evaluation import load_features
from fastreid.utils.command_line.command import run_command
from test.deploy.small_models import INFO, features_of, write_model
from test.export.models import SMALL, saved_model
from tools import export, extract_features

ROOT = Path(__file__).parents[2]
SETTINGS = ("DATALOADER.NUM_WORKERS", "0", "TEST.IMS_PER_BATCH", "4")
# Starts a tool as if MindSpore were not installed.
WITHOUT_MINDSPORE = """
import runpy, sys
sys.modules["mindspore"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A configuration file whose MODEL.WEIGHTS exist."""
    folder = tmp_path_factory.mktemp("trained")
    path = folder / "config.yml"
    path.write_text(saved_model(folder, *SMALL, "TEST.FLIP.ENABLED", "True").dump())
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six images of three identities."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.RandomState(0)
    for pid in (1, 2, 30):
        for camid in (1, 2):
            pixels = rng.randint(0, 256, (40 + pid, 30, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{pid:04d}_c{camid}.png")
    return folder


@pytest.fixture(scope="module", params=["onnx", "mindir"])
def exported(trained, tmp_path_factory, request):
    path = tmp_path_factory.mktemp("exported") / f"model.{request.param}"
    assert run_command(export.main, ["--config-file", str(trained), "--output", str(path)]) == 0
    return path


def test_the_tool_prints_what_it_wrote(trained, tmp_path, capsys):
    path = tmp_path / "new" / "model.onnx"
    options = ("--input", "normalized", "--unit", "--half")
    words = ["--config-file", str(trained), "--output", str(path), *options]
    assert run_command(export.main, words) == 0
    assert f"{path}: 0.0 MB; its features differ from the model's by " in capsys.readouterr().out
    info = Embedder(path).info
    assert (info.input, info.unit_length, info.precision) == ("normalized", True, "float16")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("MODEL.WEIGHTS", ""), "MODEL.WEIGHTS"),
        (("MODEL.WEIGHTS", "none.ckpt"), "none.ckpt"),
        (("MODEL.BACKBONE.FEAT_DIM", "24"), "heads"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(trained, tmp_path, capsys, words, message):
    path = tmp_path / "model.onnx"
    command = ["--config-file", str(trained), "--output", str(path), *words]
    assert run_command(export.main, command) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("export.py: ")
    assert message in last
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_its_command(trained, tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("fastreid.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    words = ["--config-file", str(trained), "--output", str(tmp_path / "model.onnx")]
    assert run_command(export.main, words) == 1
    wanted = "export.py: tools/export.py needs onnx: pip install onnx onnxruntime"
    assert wanted in capsys.readouterr().err


def extract(*words):
    return run_command(extract_features.main, [*map(str, words), *SETTINGS])


def test_features_of_the_file_are_those_of_the_model(trained, exported, pictures, tmp_path):
    """With the mirror images of TEST.FLIP, and the same labels, names and paths."""
    found = []
    for model in (("--config-file", trained), ("--model", exported)):
        path = tmp_path / f"{len(found)}.npz"
        assert extract(*model, "--images", pictures, "--output", path) == 0
        found.append(load_features(path))
    ours, theirs = found
    scale = np.abs(ours.images.features).max()
    difference = np.abs(ours.images.features - theirs.images.features).max()
    assert difference <= 1e-4 * scale
    for first, second in zip(ours.images[1:], theirs.images[1:]):
        np.testing.assert_array_equal(first, second)
    assert (ours.num_query, ours.name) == (theirs.num_query, theirs.name)
    assert "build_two_convolutions" in theirs.config
    if exported.suffix == ".onnx":
        not_flipped = Embedder(exported)(sorted(pictures.glob("*.png")))
        assert np.abs(not_flipped - theirs.images.features).max() > 10 * difference


def test_features_are_extracted_without_mindspore(pictures, tmp_path):
    info = replace(INFO, config="INPUT: {SIZE_TEST: [16, 8]}")
    write_model(tmp_path / "model.onnx", info)
    tool = str(ROOT / "tools" / "extract_features.py")
    words = ("--model", "model.onnx", "--images", str(pictures), "--output", "out.npz", *SETTINGS)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MINDSPORE, tool, *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "out.npz: 6 images, 0 of them queries, 6 with a known identity, 6 dim" in done.stdout
    images = load_features(tmp_path / "out.npz").images
    resized = [Image.open(path).resize((8, 16), Image.Resampling.BICUBIC) for path in images.paths]
    batch = np.stack([np.asarray(picture, np.float32).transpose(2, 0, 1) for picture in resized])
    np.testing.assert_allclose(images.features, features_of(batch), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("MODEL.WEIGHTS", "x.ckpt"), "MODEL.WEIGHTS cannot be changed: .* are inside .*m.onnx"),
        (("INPUT.SIZE_TEST", "[8, 4]"), "INPUT.SIZE_TEST cannot be changed"),
        (("TEST.SIZE", "3"), "TEST.SIZE"),
    ],
)
def test_settings_inside_of_the_file_cannot_be_changed(pictures, tmp_path, capsys, words, message):
    write_model(tmp_path / "m.onnx", replace(INFO, config="INPUT: {SIZE_TEST: [16, 8]}"))
    output = tmp_path / "out.npz"
    command = ("--model", tmp_path / "m.onnx", "--images", pictures, "--output", output, *words)
    assert extract(*command) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not output.exists()


@pytest.mark.parametrize("name", ["m.onnx", "m.mindir"])
def test_a_file_that_is_no_model_is_named(pictures, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"\xff hello")
    options = ("--images", pictures, "--output", tmp_path / "out.npz")
    assert extract("--model", tmp_path / name, *options) == 1
    error = capsys.readouterr().err
    assert re.search(rf"{name} (cannot be read as|has no description)", error), error
    assert extract("--model", tmp_path / f"no{name}", *options) == 1
    assert f"There is no model file {tmp_path / f'no{name}'}" in capsys.readouterr().err


def test_a_model_is_named_in_one_way(trained, capsys):
    both = ("--model", "m.onnx", "--config-file", str(trained))
    with pytest.raises(SystemExit):
        extract_features.parse_args([*both, "--images", "x", "--output", "o.npz"])
    assert "not allowed with argument --model" in capsys.readouterr().err
