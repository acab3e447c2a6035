"""tools/extract_features.py, search.py and visualize.py, one after the other."""

import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.evaluation import load_features
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
    """Weights of a tiny model, and two identities before two cameras with an image list."""
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
def test_a_query_finds_itself_among_the_images_of_a_folder(folder, folder_features):
    query = folder / "images" / "0002_c1_gallery.png"
    out = run("search.py", query, "--gallery", folder_features, "--top", "3", folder=folder)
    lines = out.splitlines()
    assert lines[0] == str(query)
    assert lines[1].split()[0] == "1"
    assert abs(float(lines[1].split()[1])) < 1e-4
    assert lines[1].endswith(f"{query}  id 2  camera 1")
    assert len(lines) == 5
    with Image.open(folder / "search.png") as picture:
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
def test_mistakes_end_in_one_line(folder, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ("--config-file", CONFIG, "--images", tmp_path / "empty", "--output", "x.npz")
    out = run("extract_features.py", *options, *weights, folder=tmp_path, code=1)
    assert out == f"extract_features.py: The folder {tmp_path / 'empty'} has no images.\n"
    out = run("search.py", "q.jpg", "--gallery", "none.npz", folder=tmp_path, code=1)
    assert out.startswith("search.py: There is no feature file none.npz")
    out = run("visualize.py", "--features", "x.npz", "--output", "o", folder=tmp_path, code=1)
    assert out.startswith("visualize.py: There is no feature file x.npz")


def test_a_predictor_without_weights_is_refused():
    from fastreid.engine import DefaultPredictor

    with pytest.raises(ValueError, match="Features need a trained model: set MODEL.WEIGHTS"):
        DefaultPredictor(get_cfg())
