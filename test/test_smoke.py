"""The main job from end to end, by the command line, on files in the real sets' layouts.

With two of ACL's four stages, which have all of its cells and compile faster.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from demo_data import Sizes, make_demo_data
from fastreid.utils.checkpoint.files import read_checkpoint
from test.small_backbones import TWO_ADAPTIVE_STAGES

ROOT = Path(__file__).parents[1]
SMALL = [
    *TWO_ADAPTIVE_STAGES,
    *("INPUT.SIZE_TRAIN", "(64, 32)", "INPUT.SIZE_TEST", "(64, 32)"),
    *("SOLVER.IMS_PER_BATCH", "16", "DATALOADER.NUM_INSTANCE", "2", "TEST.IMS_PER_BATCH", "16"),
    *("SOLVER.META.FIRST_BASIC_STEPS", "2", "SOLVER.LOG_PERIOD", "1"),
]

# The script itself, where small backbones can be chosen.
TRAIN_NET = (
    "import runpy, test.small_backbones;runpy.run_path('tools/train_net.py', run_name='__main__')"
)

pytestmark = pytest.mark.slow


def train_net(data, *words):
    """Run the command line; everything that it prints."""
    command = [sys.executable, "-c", TRAIN_NET, "--config-file", "configs/demo.yml"]
    done = subprocess.run(
        [*command, *words, *SMALL],
        cwd=ROOT,
        env={**os.environ, "FASTREID_DATASETS": str(data)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    return printed


def scores(printed, dataset="CUHK03"):
    """Name -> value of the last table of a data set's results."""
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in printed.splitlines()]
    row = max(i for i, line in enumerate(lines) if re.match(rf"\| {dataset} .*\d", line))
    header, _, values = (
        [cell.strip() for cell in line.split("|")] for line in lines[row - 2 :][:3]
    )
    return dict(zip(header, values))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("datasets")
    make_demo_data(root, sizes=Sizes(train_ids=10, test_ids=5, images=4))
    return root


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """Five iterations without a break, of which the checkpoint after the third is kept."""
    output = tmp_path_factory.mktemp("straight")
    words = ("SOLVER.STOP_ITERS", "5", "SOLVER.CHECKPOINT_PERIOD_ITERS", "3")
    return output, train_net(data, "OUTPUT_DIR", str(output), *words)


def test_training_leaves_logs_pictures_scores_and_a_model(straight):
    output, printed = straight
    assert {path.name for path in output.iterdir()} >= {
        "cmc_CUHK03.png",
        "config.yaml",
        "last_checkpoint",
        "log.txt",
        "metrics.json",
        "model_final.ckpt",
        "ranklist_CUHK03.png",
        "training_curves.png",
    }
    assert 0 < float(scores(printed)["mAP"]) < 100
    records = [json.loads(line) for line in (output / "metrics.json").read_text().splitlines()]
    basic = {record["iteration"] for record in records if "total_loss" in record}
    meta = {record["iteration"] for record in records if "meta_total_loss" in record}
    assert basic == {0, 1, 2, 3, 4}
    assert meta == {0, 3}


def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(data, straight, tmp_path):
    output, printed = straight
    # The folder as a power failure in the fifth iteration would have left it.
    shutil.copy(output / "model_iter_0000003.ckpt", tmp_path)
    (tmp_path / "last_checkpoint").write_text("model_iter_0000003.ckpt\n")
    resumed = train_net(data, "--resume", "OUTPUT_DIR", str(tmp_path), "SOLVER.STOP_ITERS", "5")
    assert "Resumed at iteration 3" in resumed
    assert scores(resumed) == scores(printed)
    want = read_checkpoint(output / "model_final.ckpt")
    got = read_checkpoint(tmp_path / "model_final.ckpt")
    assert got.extra["iteration"] == want.extra["iteration"] == 5
    for place in ("positions", "bookmarks"):
        assert got.extra[place] == want.extra[place]
    for mine, theirs in ((got.model, want.model), *zip(got.states.values(), want.states.values())):
        assert mine.keys() == theirs.keys()
        different = [name for name in mine if np.any(mine[name] != theirs[name])]
        assert different == []


def test_eval_only_gives_the_scores_of_training_and_works_on_every_data_set(
    data, straight, tmp_path
):
    output, printed = straight
    names = ("Market1501", "MSMT17", "cuhkSYSU", "CUHK03")
    words = ("MODEL.WEIGHTS", str(output / "model_final.ckpt"), "DATASETS.TESTS", str(names))
    evaluated = train_net(data, "--eval-only", *words, "OUTPUT_DIR", str(tmp_path))
    assert scores(evaluated) == scores(printed)
    for name in names:
        assert 0 < float(scores(evaluated, name)["mAP"]) < 100
        assert (tmp_path / f"ranklist_{name}.png").is_file()
