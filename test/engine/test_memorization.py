"""The full recipe learns: the check that earlier ports of ACL did not get to.

All stages, cells and losses, at a depth that compiles in half the time of DR50, whose own training
steps are compared with the original's (test/alignment/test_golden.py).
"""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.config import get_cfg
from fastreid.engine.steps.train_step import LossForward, TrainStep
from fastreid.modeling import build_model
from fastreid.solver import build_gradient_clipper, build_optimizer

RECIPE = Path(__file__).parents[2] / "configs" / "bagtricks_DR50_mix.yml"
IDENTITIES, STEPS = 8, 20


def sixteen_images(height=64, width=32):
    """Two images of each of eight identities, in two domains: coarse colour patterns."""
    patches = np.random.RandomState(0).uniform(0, 255, (2 * IDENTITIES, 3, 8, 4))
    images = np.kron(patches, np.ones((1, 1, height // 8, width // 4))).astype(np.float32)
    targets = np.repeat(np.arange(IDENTITIES), 2).astype(np.int32)
    domainids = (targets // (IDENTITIES // 2)).astype(np.int32)
    return Tensor(images), Tensor(targets), Tensor(domainids)


@pytest.mark.slow
def test_the_full_recipe_memorizes_sixteen_images_in_graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(0)
    cfg = get_cfg()
    cfg.merge_from_file(str(RECIPE))
    cfg.merge_from_list(["MODEL.BACKBONE.DEPTH", "tiny", "MODEL.BACKBONE.FEAT_DIM", "512"])
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [IDENTITIES // 2, IDENTITIES // 2]
    cfg.SOLVER.BASE_LR = 0.05
    cfg.freeze()
    model = build_model(cfg)
    step = TrainStep(
        LossForward(model, model.criterion()),
        [build_optimizer(cfg, model.trainable_params())],
        build_gradient_clipper(cfg),
    )
    step.set_train(True)
    batch = sixteen_images()
    totals, accuracies = [], []
    for _ in range(STEPS):
        losses, accuracy, finite = step(*batch)
        assert bool(finite.asnumpy())
        totals.append(float(losses.asnumpy().sum()))
        accuracies.append(float(accuracy.asnumpy()))
    assert accuracies[0] < 0.5
    assert accuracies[-1] == 1.0
    assert np.mean(totals[-3:]) < 0.5 * np.mean(totals[:3])
