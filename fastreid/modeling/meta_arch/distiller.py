"""Distillation: a student that also learns from the logits of teachers.

fast-reid's Distiller (He et al., "FastReID", 2020), after Hinton et al., "Distilling the Knowledge
in a Neural Network", 2015.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable

from .baseline import Baseline
from .build import META_ARCH_REGISTRY
from .distillation import DistillationLosses, MovingTeacher, Teacher, build_teachers


@META_ARCH_REGISTRY.register()
class Distiller(Baseline):
    """`Baseline` with teachers, which only training uses.

    Teachers are in evaluation mode. They are not part of the model's parameters, so its checkpoints
    are those of a `Baseline`. A model without classes (`MODEL.HEADS.NUM_CLASSES` 0) is for
    evaluation and has no teachers; their files are not read.

    Args:
        teachers: the teachers; empty for evaluation.
        ema_momentum: None, or the first teacher is a moving average of the student, of which each
            training step keeps this share.
        passes_per_update: number of forward passes of a training step, SOLVER.ACCUMULATE.
        **options: arguments of `Baseline`.
    """

    takes_teachers = True

    @configurable
    def __init__(
        self,
        *,
        teachers: Sequence[Teacher],
        ema_momentum: float | None = None,
        passes_per_update: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        # In tuples, so that they do not become child cells with parameters of the model.
        self._teachers = tuple(teachers)
        self._moving: tuple[MovingTeacher, ...] = ()
        if teachers and ema_momentum is not None:
            first = teachers[0].model
            self._moving = (
                MovingTeacher(
                    first, self, momentum=ema_momentum, passes_per_update=passes_per_update
                ),
            )

    @classmethod
    def build_parts(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the student, then its teachers.

        Raises:
            FileNotFoundError: a file of a teacher is missing.
            ValueError: there is no teacher, one does not fit, or a moving teacher would follow
                recomputed norms.
        """
        _check_recomputation(cfg)
        parts = super().build_parts(cfg)
        parts["criterion"] = DistillationLosses(parts["criterion"])
        parts["teachers"] = build_teachers(cfg) if cfg.MODEL.HEADS.NUM_CLASSES > 0 else []
        if cfg.KD.EMA.ENABLED:
            parts["ema_momentum"] = cfg.KD.EMA.MOMENTUM
            parts["passes_per_update"] = cfg.SOLVER.ACCUMULATE
        return parts

    @property
    def teachers(self) -> tuple[nn.Cell, ...]:
        """The models of the teachers, the moving one first."""
        return tuple(teacher.model for teacher in self._teachers)

    @property
    def checkpointables(self) -> Mapping[str, MovingTeacher]:
        """What a checkpoint needs beside the weights to resume: the moving teacher."""
        return {"moving_teacher": self._moving[0]} if self._moving else {}

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Any]:
        """Compute the inputs of the losses, in training.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 class of each row.

        Returns:
            The outputs of the head, and `teacher_logits`, for each teacher (N, classes).
        """
        images = self.start_moving(images)
        features = self.run_backbone(images).astype(ms.float32)
        outputs = self.heads(features, targets)
        images = self.move(images, features)
        logits: tuple[Tensor, ...] = ()
        for teacher in self._teachers:
            logits = logits + (teacher(images, targets),)
        outputs["teacher_logits"] = logits
        return outputs

    def start_moving(self, images: Tensor) -> Tensor:
        """Return the images, after the moving teacher has got the student's first weights."""
        for moving in self._moving:
            images = moving.start(images)
        return images

    def move(self, images: Tensor, features: Tensor) -> Tensor:
        """Return the images for the teachers, after the moving one has moved.

        Args:
            images: any tensor.
            features: any result of the student's backbone, which updates running statistics first.
        """
        for moving in self._moving:
            images = moving.move(ops.depend(images, features))
        return images


def _check_recomputation(cfg: CfgNode) -> None:
    """Refuse a moving teacher that would follow running statistics in the middle of their move."""
    if cfg.MODEL.RECOMPUTE and cfg.KD.EMA.ENABLED:
        raise ValueError(
            "KD.EMA.ENABLED and MODEL.RECOMPUTE cannot both be True: recomputed norms move their "
            "running statistics in two parts, of which the moving teacher would see the first. Set "
            "one of them to False, or save memory by SOLVER.ACCUMULATE."
        )
