"""A backbone of a checkout of fast-reid, unchanged. Started by backbones.py.

It needs what the checkout imports: torchvision, scikit-learn, faiss-cpu and tensorboard.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from benchmarks.stand_ins import prepare
from benchmarks.steps.stepper import read_job, serve


def tasks_of(job: dict) -> dict[str, Callable[[], None]]:
    """Build the backbone of a job; return the tasks "forward" and "training"."""
    from fastreid.config import get_cfg
    from fastreid.modeling.backbones import build_backbone

    # fast-reid reads some tables of its networks by paths relative to its root.
    os.chdir(job["original"])
    cfg = get_cfg()
    cfg.merge_from_list(job["words"])
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = job["size"]
    backbone = build_backbone(cfg)
    images = torch.randn(job["batch"], 3, *job["size"])

    def forward() -> None:
        backbone.eval()
        with torch.no_grad():
            backbone(images)

    def training() -> None:
        backbone.train()
        backbone.zero_grad(set_to_none=True)
        backbone(images).square().mean().backward()

    return {"forward": forward, "training": training}


def main() -> None:
    """Serve forward passes and passes with gradients."""
    job = read_job()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    _library = prepare(job["original"])  # Must stay alive while the original is used.
    serve(tasks_of(job))


if __name__ == "__main__":
    main()
