"""The examples of docs/own_code.md run."""

import importlib
import logging
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.config import load_config
from fastreid.solver import SGD

PAGE = Path(__file__).parents[1] / "docs" / "own_code.md"
SMALL = [
    *("INPUT.SIZE_TRAIN", "(32, 16)", "INPUT.SIZE_TEST", "(32, 16)", "DATALOADER.NUM_WORKERS", "1"),
    *("SOLVER.IMS_PER_BATCH", "4", "SOLVER.STOP_ITERS", "2", "SOLVER.LOG_PERIOD", "1"),
    *("TEST.PLOTS", "False", "SOLVER.WARMUP_ITERS", "0", "MODEL.DEVICE", "cpu"),
]


def files_of_the_page():
    """Code blocks that begin with the name of their file, put together for each file."""
    files = {}
    text = PAGE.read_text(encoding="utf-8")
    for name, code in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", text, flags=re.DOTALL):
        files[name] = files.get(name, "") + code
    return files


@pytest.fixture
def own_imports(monkeypatch, own_registries):
    """What the page registers and imports is removed when the test ends."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield
    for name in ("my_data", "my_model", "my_run"):
        sys.modules.pop(name, None)


def draw_shop(folder):
    rng = np.random.default_rng(0)
    for split, identities in (("train", (1, 2, 3)), ("query", (7, 8)), ("gallery", (7, 8))):
        (folder / split).mkdir(parents=True)
        for identity in identities:
            for number in range(2):
                camera = "hall" if split == "query" else "entrance"
                path = folder / split / f"{identity}_{camera}_{number}.jpg"
                Image.fromarray(rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)).save(path)


@pytest.mark.usefixtures("own_imports")
def test_the_examples_train_together(tmp_path, monkeypatch, caplog):
    for name, code in files_of_the_page().items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    draw_shop(tmp_path / "data" / "shop")
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path / "data"))
    with caplog.at_level(logging.INFO):
        cfg = load_config(tmp_path / "my.yml", [*SMALL, "OUTPUT_DIR", str(tmp_path / "logs")])
        cfg.freeze()
        monkeypatch.syspath_prepend(str(tmp_path))
        trainer = importlib.import_module("my_run").Trainer(cfg)
        results = trainer.train()
    assert results["Shop"]["mAP"] > 0
    assert isinstance(trainer.optimizer, SGD)
    assert "classifier_norm" in (tmp_path / "logs" / "metrics.json").read_text(encoding="utf-8")
    assert f"MODULES: imported my_model ({tmp_path / 'my_model.py'})" in caplog.text
    assert "loss_length: " in caplog.text
    assert "loss_cls: " in caplog.text


def test_the_page_registers_one_of_each_kind():
    code = "\n".join(files_of_the_page().values())
    kinds = set(re.findall(r"@(\w+)_REGISTRY.register\(\)", code))
    assert kinds == {"DATASET", "SAMPLER", "TRANSFORM", "BACKBONE", "REID_HEADS", "LOSS"}
