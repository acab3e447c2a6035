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

from demo_data import Sizes, make_demo_data
from fastreid.config import get_cfg
from fastreid.engine import DefaultTrainer
from fastreid.engine.launch.rank_output import without_notes
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.files import read_checkpoint

ROOT = Path(__file__).parents[2]
# Test images do not fill the last batch of six.
OPTIONS = [
    *("MODEL.BACKBONE.DEPTH", "tiny", "MODEL.BACKBONE.FEAT_DIM", "512", "MODEL.DEVICE", "cpu"),
    *("MODEL.HEADS.WITH_BNNECK", "True", "MODEL.LOSSES.NAME", "('CrossEntropyLoss',)"),
    *("INPUT.SIZE_TRAIN", "(64, 32)", "INPUT.SIZE_TEST", "(64, 32)"),
    *("SOLVER.IMS_PER_BATCH", "10", "SOLVER.MAX_EPOCH", "400", "SOLVER.LOG_PERIOD", "1"),
    *("SOLVER.WARMUP_ITERS", "0", "SOLVER.CHECKPOINT_PERIOD", "0"),
    *("TEST.EVAL_PERIOD", "1", "TEST.IMS_PER_BATCH", "6", "DATALOADER.NUM_WORKERS", "1"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Some epochs in two processes, until SIGTERM: where, and what they printed."""
    data = tmp_path_factory.mktemp("datasets")
    make_demo_data(data, sizes=Sizes(5, 5, 4), names=["Market1501"])
    output = tmp_path_factory.mktemp("output")
    job = subprocess.Popen(
        [sys.executable, "tools/train_net.py", "--num-gpus", "2", *OPTIONS]
        + ["OUTPUT_DIR", str(output)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "FASTREID_DATASETS": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 240
    try:
        while not (output / "model_iter_0000004.ckpt").is_file():
            assert job.poll() is None, job.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        job.send_signal(signal.SIGTERM)
        printed, _ = job.communicate(timeout=60)
    finally:
        # Its ranks end with it.
        job.kill()
        job.communicate()
    assert job.returncode == 143, printed
    os.environ["FASTREID_DATASETS"] = str(data)
    ms.set_context(mode=ms.GRAPH_MODE)
    yield output, printed
    del os.environ["FASTREID_DATASETS"]


@pytest.fixture
def cfg(run):
    cfg = get_cfg()
    cfg.merge_from_list([*OPTIONS, "OUTPUT_DIR", str(run[0])])
    return cfg


def records(output):
    return [json.loads(line) for line in (output / "metrics.json").read_text().splitlines()]


def last_iteration(output):
    return max(record["iteration"] for record in records(output) if "loss_cls" in record)


def test_rank_0_writes_everything_once_and_every_rank_a_log(run):
    output, printed = run
    found = [record["iteration"] for record in records(output) if "loss_cls" in record]
    assert found == list(range(len(found)))
    assert len(found) >= 4
    for name in ("config.yaml", "cmc_Market1501.png", "model_best.ckpt"):
        assert (output / name).is_file()
    first, second = ((output / "log" / f"rank_{rank}.txt").read_text("utf-8") for rank in (0, 1))
    assert printed.replace("The job ends: it received SIGTERM.\n", "") == without_notes(first)
    assert "Saving checkpoint" in first
    assert "Saving checkpoint" not in second


def test_sigterm_saves_a_checkpoint_before_it_ends_two_processes(run):
    output, printed = run
    assert "Ending after SIGTERM" in printed
    newest = (output / "last_checkpoint").read_text().splitlines()[0]
    # Nothing that was done is lost.
    assert read_checkpoint(output / newest).extra["iteration"] == last_iteration(output) + 1


def test_one_process_gets_the_scores_of_two(run, cfg):
    output, _ = run
    cfg.MODEL.HEADS.NUM_CLASSES = 5
    cfg.freeze()
    model = DefaultTrainer.build_model(cfg)
    Checkpointer(model).load(output / "model_best.ckpt", weights_only=True)
    done = read_checkpoint(output / "model_best.ckpt").extra["iteration"]
    evaluated = [record for record in records(output) if "Market1501/mAP" in record]
    (record,) = [record for record in evaluated if record["iteration"] == done - 1]
    wanted = {k.partition("/")[2]: v for k, v in record.items() if k.startswith("Market1501/")}
    assert dict(DefaultTrainer.test(cfg, model)["Market1501"]) == wanted


def test_one_process_resumes_a_run_of_two(run, cfg):
    done = last_iteration(run[0]) + 1
    # To the end of an epoch of two.
    cfg.SOLVER.STOP_ITERS = done // 2 * 2 + 2
    cfg.TEST.EVAL_PERIOD = 0
    cfg.freeze()
    trainer = DefaultTrainer(cfg)
    trainer.resume_or_load()
    assert (trainer.start_iter, trainer.data_loader.position) == (done, done)
    trainer.train()
    assert trainer.iter == trainer.data_loader.position == cfg.SOLVER.STOP_ITERS
