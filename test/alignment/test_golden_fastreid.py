"""The plain fast-reid networks against numbers that the PyTorch original computed from them."""

import unittest
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from fastreid.config import get_cfg
from fastreid.modeling import Phase, build_model
from fastreid.utils.torch_weights import to_torch_name
from test.alignment.golden import (
    FOLDER,
    GoldenFile,
    check_buffers,
    check_gradients,
    check_values,
    fill,
)
from test.golden.golden_inputs import NUM_CLASSES, basic_batch

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"


class BasicStep(nn.Cell):
    """Losses of one batch and the gradients of everything that is trained."""

    def __init__(self, model):
        super().__init__(auto_prefix=False)
        self.model = model
        self.criterion = model.criterion(Phase.BASIC)
        self.weights = ms.ParameterTuple(p for p in model.get_parameters() if p.requires_grad)
        self.gradient_of = ms.value_and_grad(self.forward, None, self.weights, has_aux=True)

    def forward(self, images, targets, domainids):
        losses = self.criterion(self.model.outputs(images, targets), targets, domainids)
        total = 0.0
        for loss in losses:
            total = total + loss
        return total, losses

    def construct(self, images, targets, domainids):
        return self.gradient_of(images, targets, domainids)


def golden_config(golden):
    """The config that a golden file of kind "fastreid" was made with."""
    cfg = get_cfg()
    cfg.merge_from_file(str(CONFIGS / golden.config))
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.NUM_CLASSES = sum(NUM_CLASSES)
    cfg.INPUT.SIZE_TRAIN = list(golden.size)
    cfg.INPUT.SIZE_TEST = list(golden.size)
    cfg.merge_from_list(golden.options)
    return cfg


def fastreid_checks(golden):
    """Evaluation, losses, gradients and running statistics of one batch, as `Check`s.

    Raises an AssertionError where names differ from the original's.
    """
    model = build_model(golden_config(golden))
    fill(model, golden.seed)
    images, targets, _ = basic_batch(0, golden.size, golden.seed)
    images, targets = Tensor(images), Tensor(targets.astype(np.int32))

    features = model.set_train(False)(images)
    checks = [check_values(golden, "eval.features", features.asnumpy())]

    step = BasicStep(model)
    (_, losses), gradients = step.set_train()(images, targets, targets * 0)
    names = [f"basic.loss.{name}" for name in step.criterion.names]
    if sorted(names) != sorted(golden.keys("basic.loss.")):
        raise AssertionError(f"the losses are {names}, not {golden.keys('basic.loss.')}")
    checks += [check_values(golden, name, loss.asnumpy()) for name, loss in zip(names, losses)]

    by_name = {to_torch_name(p.name): g.asnumpy() for p, g in zip(step.weights, gradients)}
    checks += check_gradients(golden, "basic.grad", by_name)
    rest = {to_torch_name(p.name): p for p in model.get_parameters() if not p.requires_grad}
    buffers = {k: p.asnumpy() for k, p in rest.items() if k.rpartition(".")[2].startswith("run")}
    if sorted(rest.keys() - buffers.keys()) != sorted(golden.strings("basic.nograd")):
        raise AssertionError(f"not trained: {sorted(rest.keys() - buffers.keys())}")
    checks.append(check_buffers(golden, "basic.buffers", buffers))
    return checks


@pytest.mark.slow
class FastReidNetworks(unittest.TestCase):
    """One batch of each golden file, compiled."""

    def setUp(self):
        ms.set_context(mode=ms.GRAPH_MODE)

    def assert_aligned(self, name):
        for check in fastreid_checks(GoldenFile(FOLDER / f"fastreid_{name}.npz")):
            with self.subTest(check=check.name):
                self.assertTrue(check.passed, str(check))

    def test_bag_of_tricks(self):
        self.assert_aligned("bagtricks_R50")

    def test_bag_of_tricks_with_instance_norm(self):
        self.assert_aligned("bagtricks_R50-ibn")

    def test_agw_with_non_local_blocks(self):
        self.assert_aligned("AGW_R50")

    def test_stronger_baseline_with_circle_softmax_and_learned_pooling(self):
        self.assert_aligned("sbs_R50-ibn")


if __name__ == "__main__":
    unittest.main()
