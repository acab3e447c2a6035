"""Training steps and evaluation of a checkout of ACL-DGReID, unchanged. Started by train_step.py.

It needs torchvision, scikit-learn, faiss-cpu and tensorboard, which the checkout imports.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from benchmarks.stand_ins import prepare
from benchmarks.steps.stepper import read_job, serve, targets_of


class _Batches:
    """A loader that repeats one batch."""

    def __init__(self, batch: dict) -> None:
        self._batch = batch

    def __iter__(self) -> Iterator[dict]:
        return (dict(self._batch) for _ in itertools.count())


def _batch(job: dict, rows: int, domains: list[int]) -> dict:
    targets, domainids = targets_of(rows, domains, job["classes"])
    return {
        "images": torch.rand(len(targets), 3, *job["size"]) * 255,
        "targets": torch.tensor(targets),
        "domainids": torch.tensor(domainids),
    }


def main() -> None:
    """Serve basic steps, meta steps and evaluations of the original."""
    job = read_job()
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    _library = prepare(job["original"])  # Must stay alive while the original is used.
    from fastreid.config import get_cfg
    from fastreid.engine.train_loop import SimpleTrainer
    from fastreid.modeling.meta_arch import build_model
    from fastreid.solver import build_optimizer
    from fastreid.utils.events import EventStorage

    cfg = get_cfg()
    cfg.merge_from_file(f"{job['original']}/configs/bagtricks_DR50_mix.yml")
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.PRETRAIN = False
    for number, count in enumerate(job["classes"], start=1):
        setattr(cfg.MODEL.HEADS, f"NUM_CLASSES{number}", count)
    model = build_model(cfg)
    basic, meta = build_optimizer(cfg, model), build_optimizer(cfg, model, flag="meta")
    every = list(range(len(job["classes"])))
    loaders = [_Batches(_batch(job, job["batch"] // 2, [domain])) for domain in every]
    mixed = _Batches(_batch(job, job["batch"], every))
    parallel = torch.nn.DataParallel(model)
    trainer = SimpleTrainer(parallel, mixed, loaders, *basic, *meta, 4)
    trainer.iter = 1
    images = torch.rand(job["eval_batch"], 3, *job["size"]) * 255

    def evaluate() -> None:
        model.eval()
        with torch.no_grad():
            model({"images": images.clone()}, 0)
        # A step does not set the mode that it needs.
        model.train()

    def built() -> None:
        gc.collect()

    with EventStorage(0):
        serve(
            {
                "model": built,
                "basic": lambda: trainer.run_step_meta_learning1(0),
                "meta": lambda: trainer.run_step_meta_learning2(0),
                "evaluation": evaluate,
            }
        )


if __name__ == "__main__":
    main()
