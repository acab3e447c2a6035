"""The wheel, installed in an environment of its own, trains and evaluates from an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastreid

ROOT = Path(__file__).parents[1]
IDENTITIES, CAMERAS, IMAGES = 4, 2, 2
CONFIG = """
MODEL:
  BACKBONE: {NAME: build_resnet_backbone, DEPTH: tiny, FEAT_DIM: 512, PRETRAIN: False}
  HEADS: {NAME: EmbeddingHead, WITH_BNNECK: True}
  LOSSES: {NAME: [CrossEntropyLoss, TripletLoss]}
INPUT: {SIZE_TRAIN: [64, 32], SIZE_TEST: [64, 32]}
DATASETS: {NAMES: [ImageList], TESTS: [ImageList], IMAGE_LIST: images}
DATALOADER: {NUM_INSTANCE: 2, NUM_WORKERS: 1}
SOLVER: {IMS_PER_BATCH: 8, MAX_EPOCH: 1, WARMUP_ITERS: 0}
TEST: {IMS_PER_BATCH: 8}
OUTPUT_DIR: logs
"""

pytestmark = [pytest.mark.zoo, pytest.mark.slow]


def run(command, cwd):
    """Run a command that must not find the checkout; everything that it prints."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    return printed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What `python -m build` makes: a source archive, and the wheel from it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("fastreid", "configs", "tools"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    run([sys.executable, "-m", "build", "--no-isolation"], source)
    (made,) = (source / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment with the wheel; MindSpore and the other packages are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run([*pip, "install", "--no-index", "--no-deps", wheel], folder)
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder


def draw_images(folder):
    """Images whose colour tells the identity."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (IDENTITIES, 3))
    for split in ("train", "query", "gallery"):
        (folder / split).mkdir(parents=True)
        for pid, colour in enumerate(colours, start=1):
            for camid in range(1, CAMERAS + 1):
                for number in range(IMAGES):
                    noise = rng.integers(-20, 21, (64, 32, 3))
                    image = Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8))
                    image.save(folder / split / f"{pid:04}_c{camid}_{number}.png")


def test_the_wheel_has_every_file_of_the_package_and_all_configurations(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    in_package = [p for p in (ROOT / "fastreid").rglob("*") if p.is_file()]
    wanted = {p.relative_to(ROOT).as_posix() for p in in_package if p.suffix != ".pyc"}
    wanted |= {f"fastreid/{p.relative_to(ROOT)}" for p in (ROOT / "configs").rglob("*.yml")}
    assert wanted - names == set()
    others = {name for name in names - wanted if ".dist-info/" not in name}
    assert others == set()


def test_an_installed_package_trains_and_evaluates_in_an_empty_folder(environment, tmp_path):
    python = environment / "bin" / "python"
    where = "import fastreid; print(fastreid.__version__, fastreid.__file__)"
    version, file = run([python, "-c", where], tmp_path).split()
    assert version == fastreid.__version__
    assert environment in Path(file).parents
    assert list(tmp_path.iterdir()) == []

    draw_images(tmp_path / "images")
    (tmp_path / "tiny.yml").write_text(CONFIG, encoding="utf-8")
    train = [environment / "bin" / "fastreid-train", "--config-file"]
    printed = run([*train[:1], "--help"], tmp_path)
    assert printed.startswith("usage: fastreid-train ")
    assert "tools/" not in printed
    run([*train, "tiny.yml"], tmp_path)
    weights = tmp_path / "logs" / "model_final.ckpt"
    assert weights.is_file()
    printed = run(
        [*train, "tiny.yml", "--eval-only", "MODEL.WEIGHTS", weights, "OUTPUT_DIR", "tested"],
        tmp_path,
    )
    assert re.search(r"\| ImageList .*\| \d+\.\d\d", printed)


def test_an_installed_package_finds_its_configurations_in_every_folder(environment, tmp_path):
    script = (
        "from fastreid.config import load_config;"
        "cfg = load_config('configs/Market1501/bagtricks_R50.yml');"
        "print(cfg.DATASETS.NAMES[0], cfg.MODEL.BACKBONE.DEPTH)"
    )
    printed = run([environment / "bin" / "python", "-c", script], tmp_path)
    assert printed.split() == ["Market1501", "50x"]
