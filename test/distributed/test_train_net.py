"""The command line on two processes, and one process that goes on with what they left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mindspore as ms
import pytest

from fastreid.config import get_cfg
from fastreid.data.demo import Sizes, make_demo_data
from fastreid.engine import DefaultTrainer
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint_file import read_checkpoint

ROOT = Path(__file__).parents[2]
# Test images do not fill the last batch of six.
OPTIONS = [
    *("MODEL.BACKBONE.DEPTH", "tiny", "MODEL.BACKBONE.FEAT_DIM", "512", "MODEL.DEVICE", "cpu"),
    *("MODEL.HEADS.WITH_BNNECK", "True", "MODEL.LOSSES.NAME", "('CrossEntropyLoss',)"),
    *("INPUT.SIZE_TRAIN", "(64, 32)", "INPUT.SIZE_TEST", "(64, 32)"),
    *("SOLVER.IMS_PER_BATCH", "10", "SOLVER.MAX_EPOCH", "2", "SOLVER.LOG_PERIOD", "1"),
    *("SOLVER.WARMUP_ITERS", "0", "SOLVER.CHECKPOINT_PERIOD", "1"),
    *("TEST.EVAL_PERIOD", "1", "TEST.IMS_PER_BATCH", "6", "DATALOADER.NUM_WORKERS", "1"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An epoch in two processes: where, and what it printed."""
    data = tmp_path_factory.mktemp("datasets")
    make_demo_data(data, sizes=Sizes(5, 5, 4), names=["Market1501"])
    output = tmp_path_factory.mktemp("output")
    options = [*OPTIONS, "SOLVER.STOP_ITERS", "2", "OUTPUT_DIR", str(output)]
    done = subprocess.run(
        [sys.executable, "tools/train_net.py", "--num-gpus", "2", *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "FASTREID_DATASETS": str(data)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    os.environ["FASTREID_DATASETS"] = str(data)
    ms.set_context(mode=ms.GRAPH_MODE)
    yield output, done.stdout
    del os.environ["FASTREID_DATASETS"]


@pytest.fixture
def cfg(run):
    cfg = get_cfg()
    cfg.merge_from_list([*OPTIONS, "OUTPUT_DIR", str(run[0])])
    return cfg


def scores(output):
    """Those of the last evaluation."""
    records = [json.loads(line) for line in (output / "metrics.json").read_text().splitlines()]
    last = [record for record in records if "Market1501/mAP" in record][-1]
    return {k.partition("/")[2]: v for k, v in last.items() if k.startswith("Market1501/")}


def test_rank_0_writes_everything_once_and_every_rank_a_log(run):
    output, printed = run
    records = [json.loads(line) for line in (output / "metrics.json").read_text().splitlines()]
    assert [r["iteration"] for r in records if "loss_cls" in r] == [0, 1]
    assert {path.name for path in output.glob("*.ckpt")} == {"model_best.ckpt", "model_final.ckpt"}
    for name in ("config.yaml", "cmc_Market1501.png", "training_curves.png"):
        assert (output / name).is_file()
    first, second = ((output / "log" / f"rank_{rank}.txt").read_text("utf-8") for rank in (0, 1))
    assert first == printed
    assert "Saving checkpoint" in first
    assert "Saving checkpoint" not in second


def test_one_process_gets_the_scores_of_two(run, cfg):
    cfg.freeze()
    model = DefaultTrainer.build_model(cfg_with_classes(cfg))
    Checkpointer(model).load(run[0] / "model_final.ckpt", weights_only=True)
    results = DefaultTrainer.test(cfg, model)["Market1501"]
    assert dict(results) == scores(run[0])


def cfg_with_classes(cfg):
    completed = cfg.clone()
    completed.defrost()
    completed.MODEL.HEADS.NUM_CLASSES = 5
    completed.freeze()
    return completed


def test_one_process_goes_on_where_two_stopped(run, cfg):
    cfg.freeze()
    trainer = DefaultTrainer(cfg)
    trainer.resume_or_load()
    assert (trainer.start_iter, trainer.data_loader.position) == (2, 2)
    trainer.train()
    assert trainer.iter == 4
    assert trainer.data_loader.position == 4


def test_sigterm_saves_a_checkpoint_before_it_ends_two_processes(run, tmp_path):
    options = [*OPTIONS, "SOLVER.MAX_EPOCH", "400", "TEST.EVAL_PERIOD", "0"]
    options += ["SOLVER.CHECKPOINT_PERIOD", "0", "OUTPUT_DIR", str(tmp_path)]
    job = subprocess.Popen(
        [sys.executable, "tools/train_net.py", "--num-gpus", "2", *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    metrics, deadline = tmp_path / "metrics.json", time.monotonic() + 240
    while not (metrics.is_file() and len(metrics.read_text().splitlines()) > 3):
        assert job.poll() is None, job.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    job.send_signal(signal.SIGTERM)
    printed, _ = job.communicate(timeout=60)
    assert job.returncode == 143, printed
    assert "Ending, as SIGTERM asked" in printed
    newest = (tmp_path / "last_checkpoint").read_text().splitlines()[0]
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    last = max(record["iteration"] for record in records if "loss_cls" in record)
    # Nothing that was done is lost.
    assert read_checkpoint(tmp_path / newest).extra["iteration"] == last + 1
