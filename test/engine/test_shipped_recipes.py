"""One training step of each kind of shipped configuration, compiled, at a small size."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.engine.build import build_trainer
from fastreid.modeling import build_model

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
KINDS = (
    "bagtricks_R50",
    "AGW_R50",
    "sbs_R50-ibn",
    "bagtricks_S50",
    "mgn_R50-ibn",
    "bagtricks_vit",
)


def batch():
    rng = np.random.RandomState(0)
    return {
        "images": rng.randint(0, 256, (8, 3, 96, 32)).astype(np.float32),
        "targets": np.repeat(np.arange(2), 4).astype(np.int32),
        "camids": np.zeros(8, np.int32),
        "domainids": np.zeros(8, np.int32),
        "img_paths": np.array([f"{i}.jpg" for i in range(8)]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_recipe_takes_a_finite_step(kind):
    cfg = get_cfg()
    cfg.merge_from_file(CONFIGS / "Market1501" / f"{kind}.yml")
    cfg.merge_from_list(["MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "3"])
    cfg.merge_from_list(["INPUT.SIZE_TRAIN", "[96, 32]", "INPUT.SIZE_TEST", "[96, 32]"])
    cfg.merge_from_list(["SOLVER.IMS_PER_BATCH", "8", "SOLVER.FREEZE_ITERS", "0"])
    cfg.freeze()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(0)
    model = build_model(cfg)
    before = {p.name: p.asnumpy().copy() for p in model.trainable_params()}
    trainer = build_trainer(cfg, model, [batch(), batch()])
    trainer.train(0, 1, 1)
    losses = trainer.storage.latest()
    assert np.isfinite(losses["total_loss"][0])
    moved = [p for p in model.trainable_params() if (p.asnumpy() != before[p.name]).any()]
    assert len(moved) > 0.9 * len(before)
