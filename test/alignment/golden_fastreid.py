"""Checks of golden files of kind "fastreid": the plain networks, one batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from mindspore import Tensor, nn

from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.modeling import build_model
from fastreid.utils.checkpoint.names import export_weights, to_torch_name
from test.alignment.golden import (
    Check,
    GoldenFile,
    check_buffers,
    check_gradients,
    check_same_names,
    check_unreached,
    check_values,
    fill,
    golden_config,
)
from test.alignment.golden_steps import check_steps
from test.golden.golden_inputs import NUM_CLASSES, basic_batch


class FastReidChecks:
    """All checks of one file; each section starts from fresh golden weights.

    Args:
        golden: a file of kind "fastreid".
    """

    def __init__(self, golden: GoldenFile) -> None:
        self.golden = golden
        self.cfg = golden_config(golden, golden.config, NUM_CLASSES=sum(NUM_CLASSES))
        self.model = self.build()
        self.sections = {"eval": self.evaluation, "basic": self.basic_step}
        if golden.keys("steps."):
            self.sections["steps"] = partial(check_steps, golden, self.model)

    def build(self) -> nn.Cell:
        """Build the model."""
        return build_model(self.cfg)

    def fill(self) -> None:
        """Give the model golden weights."""
        fill(self.model, self.golden.seed)

    def weights(self) -> dict[str, np.ndarray]:
        """Copy parameters and running statistics by their PyTorch names."""
        return export_weights(self.model)

    def batch(self, step: int = 0) -> tuple[Tensor, Tensor]:
        """Make images (12, 3, H, W) and targets (12,)."""
        images, targets, _ = basic_batch(step, self.golden.size, self.golden.seed)
        return Tensor(images), Tensor(targets.astype(np.int32))

    def evaluation(self) -> Iterator[Check]:
        """Features."""
        self.fill()
        images, _ = self.batch()
        features = self.model.set_train(False)(images)
        yield check_values(self.golden, "eval.features", features.asnumpy())

    def basic_step(self) -> Iterator[Check]:
        """Losses, gradients and running statistics."""
        golden, model = self.golden, self.model
        self.fill()
        images, targets = self.batch()
        parameters = model.trainable_params()
        forward = LossForward(model, model.criterion())
        step = GradientStep(forward, parameters).set_train()
        losses, _, _, gradients = step(images, targets, targets * 0)
        named = {f"basic.loss.{n}": v for n, v in zip(forward.names, losses.asnumpy())}
        yield check_same_names("basic.loss.names", set(named), set(golden.keys("basic.loss.")))
        for name in golden.keys("basic.loss."):
            if name in named:
                yield check_values(golden, name, named[name])
        arrays = {to_torch_name(p.name): g.asnumpy() for p, g in zip(parameters, gradients)}
        yield from check_gradients(golden, "basic.grad", arrays)
        weights = self.weights()
        yield check_unreached(golden, weights, arrays)
        yield from check_buffers(golden, "basic.buffers", weights)
