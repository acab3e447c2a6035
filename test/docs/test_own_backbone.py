"""The files of docs/own_backbone.md: they run, agree with PyTorch and train."""

import importlib
import re
import sys

import numpy as np
import pytest
import torch

from demo_data import Sizes, make_demo_data
from fastreid.config import load_config
from fastreid.engine import DefaultTrainer
from fastreid.modeling import build_backbone
from fastreid.modeling.backbones.pretrained import pretrained_rules
from fastreid.utils.checkpoint.names import export_weights

from .markdown import ROOT, blocks

PAGE = ROOT / "docs" / "own_backbone.md"
MODULES = ("my_vgg", "compare", "names")
SMALL = [
    *("INPUT.SIZE_TRAIN", "(64, 32)", "INPUT.SIZE_TEST", "(64, 32)", "DATALOADER.NUM_WORKERS", "0"),
    *("SOLVER.IMS_PER_BATCH", "8", "SOLVER.STOP_ITERS", "2", "SOLVER.LOG_PERIOD", "1"),
    *("TEST.PLOTS", "False", "SOLVER.WARMUP_ITERS", "0", "MODEL.DEVICE", "cpu"),
]


@pytest.fixture
def written(tmp_path, monkeypatch, own_registries):
    """The folder with the page's files, from which they can be imported."""
    files = {}
    for block in blocks(PAGE):
        if block.file:
            body = block.text.split("\n", 1)[1]
            files[block.file] = files.get(block.file, "") + body
    for name, body in files.items():
        (tmp_path / name).write_text(body, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


def config(folder, *opts):
    return load_config(folder / "my_vgg.yml", [*SMALL, *opts])


@pytest.mark.parametrize("seed", [0, 7])
def test_the_features_are_those_of_pytorch(written, seed):
    error = importlib.import_module("compare").largest_error(seed=seed)
    assert 0 < error < 1e-5


def test_the_names_are_printed(written, capsys):
    importlib.import_module("names")
    assert "features.0.weight (8, 3, 3, 3)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (("MODEL.BACKBONE.DEPTH", "12x"), r"'12x' is not a VGG; .*'tiny', '11x', '16x'"),
        (("MODEL.BACKBONE.FEAT_DIM", "512"), "set it to 16"),
    ],
)
def test_wrong_settings_are_refused(written, opts, message):
    cfg = config(written, *opts)
    with pytest.raises(ValueError, match=message):
        build_backbone(cfg)


def test_published_weights_are_loaded_without_the_classifier(written):
    cfg = config(written, "MODEL.BACKBONE.DEPTH", "11x", "MODEL.BACKBONE.FEAT_DIM", "512")
    weights = export_weights(build_backbone(cfg))
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    file = pretrained_rules("build_vgg_backbone").files["11x"].name
    torch.save({**tensors, "classifier.0.weight": torch.zeros(2, 3)}, written / file)
    cfg.MODEL.BACKBONE.PRETRAIN = True
    cfg.MODEL.BACKBONE.PRETRAIN_PATH = str(written)
    for name, value in export_weights(build_backbone(cfg)).items():
        np.testing.assert_array_equal(value, weights[name])


def test_the_backbone_trains_and_evaluates(written, monkeypatch):
    make_demo_data(written / "data", sizes=Sizes(train_ids=6, test_ids=5, images=4))
    monkeypatch.setenv("FASTREID_DATASETS", str(written / "data"))
    cfg = config(written, "OUTPUT_DIR", str(written / "logs"), "MODEL.RECOMPUTE", "False")
    cfg.freeze()
    trainer = DefaultTrainer(cfg)
    assert trainer.train()["Market1501"]["mAP"] > 0
    assert re.search(r"build_vgg_backbone", (written / "logs" / "config.yaml").read_text("utf-8"))
