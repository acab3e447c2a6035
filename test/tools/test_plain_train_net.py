"""The loop of tools/plain_train_net.py does what the trainer does."""

import argparse
import json
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from demo_data import Sizes, make_demo_data
from fastreid.config import get_cfg
from fastreid.engine import DefaultTrainer
from fastreid.utils.checkpoint.files import read_checkpoint
from test.small_backbones import TWO_CONVOLUTIONS
from tools import plain_train_net

OPTIONS = [
    *TWO_CONVOLUTIONS,
    *("MODEL.HEADS.WITH_BNNECK", "True", "MODEL.LOSSES.NAME", "('CrossEntropyLoss',)"),
    *("INPUT.SIZE_TRAIN", "(64, 32)", "INPUT.SIZE_TEST", "(64, 32)"),
    *("SOLVER.IMS_PER_BATCH", "10", "SOLVER.MAX_EPOCH", "2", "SOLVER.LOG_PERIOD", "1"),
    *("SOLVER.WARMUP_ITERS", "0", "SOLVER.CHECKPOINT_PERIOD", "1", "TEST.PLOTS", "False"),
    *("TEST.EVAL_PERIOD", "1", "TEST.IMS_PER_BATCH", "16", "DATALOADER.NUM_WORKERS", "0"),
]


@pytest.fixture
def make_cfg(tmp_path, monkeypatch):
    make_demo_data(tmp_path / "data", sizes=Sizes(5, 5, 4), names=["Market1501"])
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path / "data"))
    ms.set_context(mode=ms.GRAPH_MODE)

    def make(name, *words):
        ms.set_seed(0)
        cfg = get_cfg()
        cfg.merge_from_list([*OPTIONS, "OUTPUT_DIR", str(tmp_path / name), *words])
        cfg.freeze()
        (tmp_path / name).mkdir(exist_ok=True)
        return cfg

    return make


def final_weights(cfg):
    model = read_checkpoint(Path(cfg.OUTPUT_DIR) / "model_final.ckpt").model
    return {name: np.asarray(value) for name, value in model.items()}


def test_the_plain_loop_ends_with_the_weights_and_scores_of_the_trainer(make_cfg, tmp_path):
    cfg, other = make_cfg("plain"), make_cfg("trainer")
    ms.set_seed(0)
    results = plain_train_net.do_train(cfg, resume=False)
    ms.set_seed(0)
    assert DefaultTrainer(other).train() == results
    weights, wanted = final_weights(cfg), final_weights(other)
    assert {name for name in wanted if not np.array_equal(weights[name], wanted[name])} == set()
    names = {path.name for path in (tmp_path / "plain").glob("*.ckpt")}
    assert names == {"model_best.ckpt", "model_0000.ckpt", "model_final.ckpt"}
    records = [
        json.loads(line) for line in (tmp_path / "plain" / "metrics.json").read_text().splitlines()
    ]
    assert [record["iteration"] for record in records] == [0, 1, 2, 3]


def test_a_plain_run_is_resumed_and_its_weights_are_evaluated(make_cfg, tmp_path, monkeypatch):
    # It would send the logs of all later tests to files.
    monkeypatch.setattr(plain_train_net, "default_setup", lambda cfg, args: None)
    plain_train_net.do_train(make_cfg("once"), resume=False)
    plain_train_net.do_train(make_cfg("twice", "SOLVER.MAX_EPOCH", "1"), resume=False)
    cfg = make_cfg("twice")
    results = plain_train_net.do_train(cfg, resume=True)
    weights, wanted = final_weights(cfg), final_weights(make_cfg("once"))
    assert {name for name in wanted if not np.array_equal(weights[name], wanted[name])} == set()
    words = [*OPTIONS, "OUTPUT_DIR", str(tmp_path / "evaluated")]
    args = argparse.Namespace(config_file="", opts=words, eval_only=True, resume=False)
    args.opts += ["MODEL.WEIGHTS", f"{cfg.OUTPUT_DIR}/model_final.ckpt"]
    assert plain_train_net.main(args) == results
