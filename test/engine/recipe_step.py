"""One training step of a shipped configuration, compiled, at a small size.

`python -m test.engine.recipe_step NAME` writes what it found to standard output, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mindspore as ms
import numpy as np

from fastreid.config import get_cfg
from fastreid.engine.build import build_trainer
from fastreid.modeling import build_model

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "Market1501"


def batch():
    rng = np.random.RandomState(0)
    return {
        "images": rng.randint(0, 256, (8, 3, 96, 32)).astype(np.float32),
        "targets": np.repeat(np.arange(2), 4).astype(np.int32),
        "camids": np.zeros(8, np.int32),
        "domainids": np.zeros(8, np.int32),
        "img_paths": np.array([f"{i}.jpg" for i in range(8)]),
    }


def take_step(name):
    """The total loss, and how many of the trainable parameters moved."""
    cfg = get_cfg()
    cfg.merge_from_file(CONFIGS / f"{name}.yml")
    cfg.merge_from_list(["MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "3"])
    cfg.merge_from_list(["INPUT.SIZE_TRAIN", "[96, 32]", "INPUT.SIZE_TEST", "[96, 32]"])
    cfg.merge_from_list(["SOLVER.IMS_PER_BATCH", "8", "SOLVER.FREEZE_ITERS", "0"])
    cfg.freeze()
    ms.set_seed(0)
    model = build_model(cfg)
    before = {p.name: p.asnumpy().copy() for p in model.trainable_params()}
    trainer = build_trainer(cfg, model, [batch(), batch()])
    trainer.train(0, 1, 1)
    moved = [p for p in model.trainable_params() if (p.asnumpy() != before[p.name]).any()]
    return {
        "total_loss": float(trainer.storage.latest()["total_loss"][0]),
        "moved": len(moved),
        "trainable": len(before),
    }


if __name__ == "__main__":
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    sys.stdout.write(json.dumps(take_step(sys.argv[1])))
