"""Checks of golden files of kind "distill": students with teachers, one batch and three steps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.config import get_cfg
from fastreid.engine.build import build_optimizers
from fastreid.engine.steps.train_step import LossForward, TrainStep
from fastreid.modeling import build_model
from fastreid.solver import build_gradient_clipper
from fastreid.utils.checkpoint.names import export_weights, to_torch_name
from fastreid.utils.checkpoint.weights_file import write_weights
from test.alignment.golden import (
    CONFIGS,
    Check,
    GoldenFile,
    check_gradients,
    check_values,
)
from test.alignment.golden_fastreid import FastReidChecks
from test.golden.golden_inputs import NUM_CLASSES, golden_weight

STEPS = 3
# Rows of the features after the steps that a file holds.
SHOWN = 4


class DistillChecks(FastReidChecks):
    """All checks of one file; each section starts from fresh golden weights.

    Args:
        golden: a file of kind "distill".
    """

    def __init__(self, golden: GoldenFile) -> None:
        super().__init__(golden)
        weights = export_weights(self.model)
        self.margins = {name: value for name, value in weights.items() if _is_margin(name)}
        self.sections["traj"] = self.three_steps

    def build(self) -> nn.Cell:
        """Build the model with teachers that come from files."""
        cfg = self.cfg.clone()
        cfg.defrost()
        with tempfile.TemporaryDirectory() as folder:
            for place, words in enumerate(self.golden.strings("meta/teachers")):
                config, weights = Path(folder, f"{place}.yaml"), Path(folder, f"{place}.pth")
                _write_teacher(self.golden, words, place, config, weights)
                cfg.KD.MODEL_CONFIG = [*cfg.KD.MODEL_CONFIG, str(config)]
                cfg.KD.MODEL_WEIGHTS = [*cfg.KD.MODEL_WEIGHTS, str(weights)]
            return build_model(cfg)

    def fill(self) -> None:
        """Give the student golden weights; the margins follow from the teachers."""
        super().fill()
        for each in self.model.get_parameters():
            if each.name in self.margins:
                ops.assign(each, Tensor(self.margins[each.name]))
        # The moving teacher starts again from the student.
        for each in self.model.checkpointables.values():
            each.load_state_dict({**each.state_dict(), "is_started": 0.0})

    def weights(self) -> dict[str, np.ndarray]:
        """Copy parameters and running statistics by their PyTorch names."""
        return {k: v for k, v in super().weights().items() if k not in self.margins}

    def moving(self) -> dict[str, np.ndarray]:
        """Copy the moving teacher's weights by the student's PyTorch names."""
        if not self.model.checkpointables:
            return {}
        prefix = "teachers.0."
        weights = export_weights(self.model.teachers[0])
        return {name[len(prefix) :]: value for name, value in weights.items()}

    def three_steps(self) -> Iterator[Check]:
        """Losses, what the steps change, what the moving teacher follows, features afterwards."""
        golden, model = self.golden, self.model
        self.fill()
        before = self.weights()
        forward = LossForward(model, model.criterion())
        optimizers = build_optimizers(self.cfg, model)
        step = TrainStep(forward, optimizers, build_gradient_clipper(self.cfg)).set_train()
        rows = []
        for number in range(STEPS):
            images, targets = self.batch(number)
            rows.append(step(images, targets, targets * 0)[0].asnumpy())
        for name, values in zip(forward.names, np.transpose(rows)):
            yield check_values(golden, f"traj.loss.{name}", values)
        after = self.weights()
        trained = [to_torch_name(parameter.name) for parameter in model.trainable_params()]
        moved = {name: after[name] - before[name] for name in trained}
        yield from check_gradients(golden, "traj.delta", moved)
        followed = {name: value - before[name] for name, value in self.moving().items()}
        if followed:
            yield from check_gradients(golden, "traj.moving", followed)
        features = model.set_train(False)(self.batch(99)[0]).asnumpy()
        yield check_values(golden, "traj.eval.features", features[:SHOWN])


def _is_margin(name: str) -> bool:
    return name.startswith("margin")


def _write_teacher(golden: GoldenFile, words: str, place: int, config: Path, weights: Path) -> None:
    """Write config and golden weights of a teacher; their seed is that of `original_distiller`."""
    cfg = get_cfg()
    cfg.merge_from_file(CONFIGS / golden.config)
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.NUM_CLASSES = sum(NUM_CLASSES)
    cfg.merge_from_list(words.split())
    config.write_text(cfg.dump(), encoding="utf-8")
    seed = golden.seed + 1 + place
    shapes = {name: value.shape for name, value in export_weights(build_model(cfg)).items()}
    write_weights(weights, {name: golden_weight(name, shapes[name], seed) for name in shapes})
