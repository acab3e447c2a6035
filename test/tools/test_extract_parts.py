"""tools/extract_features.py with a folder as its output."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.evaluation import load_features
from fastreid.modeling import build_model
from fastreid.utils.checkpoint import Checkpointer
from test.extraction.cases import write_images, write_onnx

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "extract_features.py"
CONFIG = str(ROOT / "configs" / "demo.yml")
PATTERN = ("--pattern", r"(?P<pid>\w+?)_c(?P<camid>\d+)")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("tool_extract_features", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    """A folder with images and an exported model."""
    write_images(tmp_path / "images", 11, np.random.default_rng(0))
    write_onnx(tmp_path / "model.onnx")
    return tmp_path


@pytest.fixture
def options(folder):
    return ["--model", str(folder / "model.onnx"), "--images", str(folder / "images"), *PATTERN]


def test_a_folder_and_a_file_have_the_same_features(tool, folder, options, capsys):
    assert tool.main([*options, "--output", str(folder / "one.npz")]) == 0
    (folder / "images" / "bad.jpg").touch()
    parts = str(folder / "parts")
    assert tool.main([*options, "--output", parts, "--part-size", "4"]) == 0
    line = f"{parts}: 11 images written, 1 cannot be read, see unreadable.csv"
    assert line in capsys.readouterr().out
    assert tool.main([*options, "--output", parts, "--part-size", "4"]) == 0
    assert f"{parts}: 0 images written, 11 were there, 1 cannot" in capsys.readouterr().out
    file, read = load_features(folder / "one.npz"), load_features(parts)
    order = np.argsort(file.images.paths)
    for ours, theirs in zip(read.images, file.images.rows(order)):
        np.testing.assert_array_equal(ours, theirs)
    assert read.config == file.config


def test_a_list_of_images_gives_parts(tool, folder, options):
    paths = sorted((folder / "images").rglob("*.png"))
    lines = [
        "path,pid,camid",
        *(f"images/{p.parent.name}/{p.name},{i},9" for i, p in enumerate(paths)),
    ]
    (folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    options[3] = str(folder / "list.csv")
    tool.main([*options, "--output", str(folder / "parts")])
    found = load_features(folder / "parts").images
    assert found.paths.tolist() == list(map(str, paths))
    assert found.pids.tolist() == list(range(11))
    assert set(found.camids) == {9}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--output", "x.npz", "--num-gpus", "2"], "x.npz is one file; give --output a folder"),
        (["--output", "x.npz", "--engine", "ray"], "x.npz is one file; give --output a folder"),
        (["--output", "x.npz", "--images", "s3://b/x"], "s3://b/x is not a folder; this needs"),
        (["--output", "x.txt"], "x.txt must end with .npz"),
        (["--output", "x", "--images", "nowhere"], "--images nowhere is neither a folder nor"),
        (["--output", "x", "--part-size", "0"], "--part-size is 0"),
        (["--output", "x", "--pattern", "a"], "needs groups named pid and camid"),
        (["--output", "x", "MODEL.WEIGHTS", "w"], "MODEL.WEIGHTS cannot be changed"),
        (["--output", "x", "MODEL.DEVICE", "tpu"], "device is 'tpu'"),
        (["--output", "x", "MODEL.DEVICE", "cuda:1"], "'cuda' is not available"),
        (["--output", "x.npz", "MODEL.DEVICE", "cuda:1"], "'cuda:1' is not available"),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    tool, options, changed, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises((ValueError, OSError), match=message):
        tool.main([*options, *changed])
    assert set(tmp_path.iterdir()) == before


def test_a_test_set_needs_a_file(tool, folder):
    options = ["--model", str(folder / "model.onnx"), "--dataset", "Market1501", "--output", "x"]
    with pytest.raises(ValueError, match="--dataset needs a file: give --output FILE.npz"):
        tool.main(options)


@pytest.mark.slow
def test_mindspore_writes_the_same_features_to_a_folder_as_to_a_file(folder):
    cfg = get_cfg()
    cfg.merge_from_file(CONFIG)
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [2, 2]
    ms.set_context(mode=ms.GRAPH_MODE)
    Checkpointer(build_model(cfg), str(folder)).save("weights")
    (weights,) = folder.glob("weights*")
    settings = ["MODEL.WEIGHTS", weights.name, "INPUT.SIZE_TEST", "[64, 32]"]
    settings += [
        "DATALOADER.NUM_WORKERS",
        "0",
        "TEST.IMS_PER_BATCH",
        "4",
        "TEST.FLIP.ENABLED",
        "True",
    ]
    for output in (["one.npz"], ["parts", "--part-size", "6", "--num-gpus", "2"]):
        command = [
            TOOL,
            "--config-file",
            CONFIG,
            "--images",
            "images",
            *PATTERN,
            "--output",
            *output,
        ]
        done = subprocess.run(
            list(map(str, [sys.executable, *command, *settings])),
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    file, read = load_features(folder / "one.npz").images, load_features(folder / "parts").images
    order = np.argsort(file.paths)
    assert read.paths.tolist() == file.paths[order].tolist()
    scale = np.abs(file.features).max()
    # Another number of threads may change the order of sums.
    np.testing.assert_allclose(read.features, file.features[order], rtol=0, atol=1e-5 * scale)
