"""Training steps and evaluation of this package. Started by train_step.py."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import mindspore as ms
import numpy as np
from mindspore import Tensor

from benchmarks.steps.stepper import read_job, serve, targets_of
from fastreid.config import CfgNode, get_cfg
from fastreid.engine import MetaTrainer, build_trainer, set_device_and_mode
from fastreid.modeling import build_model
from fastreid.utils.events import EventStorage


def _config(job: dict) -> CfgNode:
    cfg = get_cfg()
    cfg.merge_from_file(job["config_file"])
    cfg.merge_from_list(
        [
            *("MODEL.BACKBONE.PRETRAIN", "False"),
            *("MODEL.HEADS.CLASSES_PER_DOMAIN", str(job["classes"])),
            # Losses are not read during the measurement.
            *("SOLVER.LOG_PERIOD", "1000000"),
            # The other contender must not count as another program that uses the cores.
            *("DISPATCH_THREADS", "1"),
        ]
    )
    cfg.merge_from_list(job["opts"])
    cfg.freeze()
    return cfg


def _batch(job: dict, rows: int, domains: list[int]) -> dict:
    """Make a batch of random images; their content does not affect the speed."""
    targets, domainids = targets_of(rows, domains, job["classes"])
    rng = np.random.default_rng(0)
    return {
        "images": rng.uniform(0, 255, (len(targets), 3, *job["size"])).astype(np.float32),
        "targets": np.array(targets, np.int32),
        "domainids": np.array(domainids, np.int32),
        "img_paths": np.array([f"synthetic {i}" for i in range(len(targets))]),
    }


def _build_trainer(cfg: CfgNode, job: dict) -> MetaTrainer:
    """Build the trainer of a config with synthetic batches."""
    domains = list(range(len(job["classes"])))
    trainer = build_trainer(
        cfg,
        build_model(cfg),
        [_batch(job, job["batch"], domains)] * 1000,
        domain_loaders=[[_batch(job, job["batch"] // 2, [domain])] * 1000 for domain in domains],
    )
    if not isinstance(trainer, MetaTrainer):
        raise SystemExit(f"{job['config_file']} has no meta steps to time.")
    trainer.iter = 1
    return trainer


def main() -> None:
    """Serve basic steps, meta steps and evaluations."""
    job = read_job()
    cfg = _config(job)
    set_device_and_mode(cfg)
    ms.set_seed(0)
    trainer = _build_trainer(cfg, job)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (job["eval_batch"], 3, *job["size"])).astype(np.float32)

    def built() -> None:
        gc.collect()

    def basic() -> None:
        trainer.basic_step()
        trainer.finish()

    def meta() -> None:
        trainer.meta_step(0)
        trainer.finish()
        trainer.meta_optimizer.learning_rates[0].asnumpy()

    def evaluate() -> None:
        trainer.model.set_train(False)
        trainer.model(Tensor(images)).asnumpy()

    with EventStorage():
        serve({"model": built, "basic": basic, "meta": meta, "evaluation": evaluate})


if __name__ == "__main__":
    main()
