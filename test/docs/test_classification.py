"""The classifier of docs/classification.md trains."""

import subprocess
import sys

import mindspore as ms
import pytest

from fastreid.config import load_config
from fastreid.engine import ClasTrainer
from test.data.classification.drawn import draw_classes

from .markdown import ROOT, blocks

SMALL = (
    *("MODEL.BACKBONE.PRETRAIN", "False", "MODEL.BACKBONE.DEPTH", "tiny"),
    *("INPUT.SIZE_TEST", "[40]", "INPUT.CROP.SIZE", "[32]", "SOLVER.STOP_ITERS", "1"),
    *("SOLVER.IMS_PER_BATCH", "4", "DATALOADER.NUM_WORKERS", "0", "MODEL.DEVICE", "cpu"),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_classes(tmp_path / "insects")
    for block in blocks(ROOT / "docs" / "classification.md"):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    return tmp_path


def test_the_configuration_trains_and_evaluates(folder):
    ms.set_context(mode=ms.GRAPH_MODE)
    cfg = load_config("insects.yml", list(SMALL))
    cfg.freeze()
    results = ClasTrainer(cfg).train()
    assert list(results["ClassFolders"]) == ["Acc@1", "metric"]
    assert (folder / "logs" / "insects" / "idx2class.json").is_file()


@pytest.mark.slow
def test_the_program_trains(folder):
    command = [sys.executable, "train_insects.py", "--config-file", "insects.yml", *SMALL]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Acc@1" in done.stdout + done.stderr
