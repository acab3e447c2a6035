"""tools/extract_features.py, search.py and visualize.py, one after the other."""

import argparse
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.evaluation import FeatureSet, ImageFeatures, load_features
from fastreid.modeling import build_model
from fastreid.utils.checkpoint import Checkpointer

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "configs" / "demo.yml")
SETTINGS = ["INPUT.SIZE_TEST", "[64, 32]", "DATALOADER.NUM_WORKERS", "0", "TEST.IMS_PER_BATCH", "8"]


def run(tool, *arguments, folder, code=0):
    command = [sys.executable, str(ROOT / "tools" / tool), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a tiny model, and images of two identities and two cameras with an image list."""
    folder = tmp_path_factory.mktemp("features")
    ms.set_context(mode=ms.GRAPH_MODE)
    cfg = get_cfg()
    cfg.merge_from_file(CONFIG)
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [2, 2]
    Checkpointer(build_model(cfg), str(folder)).save("model")
    rng = np.random.RandomState(0)
    lines = ["path,pid,camid,split"]
    (folder / "images").mkdir()
    for pid in (1, 2, 3):
        base = rng.randint(0, 256, (64, 32, 3))
        for camid, split in ((0, "query"), (1, "gallery"), (0, "gallery")):
            pixels = np.clip(base + rng.randint(-20, 20, base.shape), 0, 255).astype(np.uint8)
            name = f"images/{pid:04d}_c{camid}_{split}.png"
            Image.fromarray(pixels).save(folder / name)
            lines.append(f"{name},{pid},{camid},{split}")
    (folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def weights(folder):
    (path,) = folder.glob("model*.ckpt")
    return ["MODEL.WEIGHTS", str(path), *SETTINGS]


@pytest.fixture(scope="module")
def folder_features(folder, weights):
    out = run(
        "extract_features.py",
        *("--config-file", CONFIG, "--images", folder / "images", "--output", "feats.npz"),
        *weights,
        folder=folder,
    )
    assert "feats.npz: 9 images, 0 of them queries, 9 with a known identity, 512 dim" in out
    return folder / "feats.npz"


@pytest.mark.slow
def test_a_query_finds_itself_from_any_folder(folder, folder_features, tmp_path):
    query = folder / "images" / "0002_c1_gallery.png"
    out = run("search.py", query, "--gallery", folder_features, "--top", "3", folder=tmp_path)
    lines = out.splitlines()
    assert lines[0] == str(query)
    assert lines[1].split()[0] == "1"
    assert abs(float(lines[1].split()[1])) < 1e-4
    assert lines[1].endswith(f"{query}  id 2  camera 1")
    assert len(lines) == 5
    with Image.open(tmp_path / "search.png") as picture:
        assert picture.width > 300


@pytest.mark.slow
def test_a_test_set_becomes_a_page_of_pictures(folder, weights):
    out = run(
        "extract_features.py",
        *("--config-file", CONFIG, "--dataset", "ImageList", "--output", "set.npz"),
        *("DATASETS.IMAGE_LIST", folder / "list.csv", *weights),
        folder=folder,
    )
    assert "set.npz: 9 images, 3 of them queries" in out
    features = load_features(folder / "set.npz")
    assert (features.name, features.num_query) == ("ImageList", 3)
    run("visualize.py", "--features", "a=set.npz", "b=set.npz", "--output", "look", folder=folder)
    page = (folder / "look" / "index.html").read_text(encoding="utf-8")
    for name in ("cmc", "roc", "map", "ranklist_a_best", "ranklist_b_worst", "ranklist_a_random"):
        assert f'src="{name}.png"' in page
        with Image.open(folder / "look" / f"{name}.png") as picture:
            assert picture.width > 300


@pytest.mark.slow
def test_user_errors_are_printed_as_one_line(folder, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ("--config-file", CONFIG, "--images", tmp_path / "empty", "--output", "x.npz")
    out = run("extract_features.py", *options, *weights, folder=tmp_path, code=1)
    assert out == f"extract_features.py: The folder {tmp_path / 'empty'} has no images.\n"
    out = run("search.py", "q.jpg", "--gallery", "none.npz", folder=tmp_path, code=1)
    assert out.startswith("search.py: There is no feature file none.npz")
    out = run("visualize.py", "--features", "x.npz", "--output", "o", folder=tmp_path, code=1)
    assert out.startswith("visualize.py: There is no feature file x.npz")


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_labels_in_file_names_may_be_numbers_of_64_bits_or_names(tmp_path, caplog):
    extract = load_tool("extract_features")
    for name in ("007_c1", "7_c1", f"{2**40}_c01", "nobody", "anna_c2", "anna_c3"):
        (tmp_path / f"{name}.jpg").touch()
    items, names = extract.list_folder(tmp_path, re.compile(r"(?P<pid>\w+)_c(?P<camid>\d+)"))
    labels = {Path(path).stem: (pid, camid) for path, pid, camid in items}
    assert labels == {
        "007_c1": (7, 1),
        "7_c1": (7, 1),
        f"{2**40}_c01": (2**40, 1),
        "nobody": (-1, -1),
        "anna_c2": (0, 2),
        "anna_c3": (0, 3),
    }
    written = dict(zip([Path(path).stem for path, _, _ in items], zip(*names)))
    assert written["007_c1"] == ("007", "1")
    assert written["anna_c2"] == ("anna", "2")
    assert written["nobody"] == ("", "")
    assert "1 identities have several spellings, which are treated as one: 007/7." in caplog.text
    (tmp_path / f"{2**63}_c1.jpg").touch()
    with pytest.raises(ValueError, match=f"name of .*{2**63}_c1.jpg: the number {2**63} does not"):
        extract.list_folder(tmp_path, extract.FILE_NAME)


def test_missing_weights_are_named_with_advice():
    search = load_tool("search")
    columns = (np.ones((1, 2)), np.ones(1, int), np.ones(1, int), np.array(["a"]))
    features = FeatureSet(ImageFeatures(*columns), 0, "Toy", "MODEL: {WEIGHTS: /gone/w.ckpt}")
    args = argparse.Namespace(gallery="f.npz", opts=[])
    message = "f.npz was made with the weights /gone/w.ckpt, .* --opts MODEL.WEIGHTS FILE"
    with pytest.raises(FileNotFoundError, match=message):
        search.config_of(features, args)


def test_weights_under_a_key_path_are_found(tmp_path):
    search = load_tool("search")
    (tmp_path / "w.pth").touch()
    cfg = get_cfg()
    cfg.MODEL.WEIGHTS = f"{tmp_path / 'w.pth'}::model_ema"
    args = argparse.Namespace(gallery="f.npz", opts=[])
    search.require_weights(cfg, args)
    (tmp_path / "w.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"w.pth::model_ema, which do not exist"):
        search.require_weights(cfg, args)


def test_a_predictor_without_weights_is_refused():
    from fastreid.engine import DefaultPredictor

    with pytest.raises(ValueError, match="Features need a trained model: set MODEL.WEIGHTS"):
        DefaultPredictor(get_cfg())
