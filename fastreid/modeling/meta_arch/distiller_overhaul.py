"""Distillation of logits and of the maps of all stages (fast-reid's project FastDistill).

Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from fastreid.config import CfgNode, configurable

from .build import META_ARCH_REGISTRY
from .distillation import OverhaulLosses, build_connectors, negative_means
from .distiller import Distiller

_BACKBONE = "build_resnet_backbone_distill"


@META_ARCH_REGISTRY.register()
class DistillerOverhaul(Distiller):
    """`Distiller` that also learns the maps of the teachers' stages.

    As in fast-reid, the maps of the last stage are those before its ReLU, and the others those
    after it (docs/fidelity.md); in the paper all are before it.

    For the teacher with index i, `connectors_i` maps the student's maps to the teacher's channels,
    and `margin{i}_{n}` is the margin of stage n, from 1. They are in the checkpoints, and have no
    effect on features.

    Args:
        **options: arguments of `Distiller`. The backbones have `stage_maps`, `stage_norms`,
            `stage_channels` and `stage_strides`, as `DistillResNet`.

    Raises:
        ValueError: a backbone lacks them, or strides differ between student and teacher.
    """

    @configurable
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _check_backbone(self.backbone, "the student")
        connectors: list[nn.CellList] = []
        margins: list[tuple[Parameter, ...]] = []
        for place, teacher in enumerate(self.teachers):
            backbone = teacher.backbone
            _check_backbone(backbone, f"teacher {place}", like=self.backbone)
            cells = build_connectors(self.backbone.stage_channels, backbone.stage_channels)
            setattr(self, f"connectors_{place}", cells)
            connectors.append(cells)
            margins.append(self._set_margins(place, backbone))
        # The same in tuples, which `outputs` iterates over.
        self._connectors, self._margins = tuple(connectors), tuple(margins)

    def _set_margins(self, place: int, backbone: nn.Cell) -> tuple[Parameter, ...]:
        margins: list[Parameter] = []
        for number, norm in enumerate(backbone.stage_norms(), start=1):
            name = f"margin{place}_{number}"
            margin = Parameter(Tensor(negative_means(norm)), name=name, requires_grad=False)
            setattr(self, name, margin)
            margins.append(margin)
        return tuple(margins)

    @classmethod
    def build_parts(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the student, then its teachers, and the losses."""
        parts = super().build_parts(cfg)
        parts["criterion"] = OverhaulLosses(parts["criterion"])
        return parts

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Any]:
        """Compute the inputs of the losses, in training.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 class of each row.

        Returns:
            The outputs of `Distiller`, and `stage_maps`: for each teacher and stage the student's
            connected map, the teacher's map and its margin.
        """
        images = self.start_moving(images)
        maps = self.backbone.stage_maps(self.standardised(images))
        features = ops.relu(maps[-1]).astype(ms.float32)
        outputs = self.heads(features, targets)
        images = self.move(images, features)
        logits: tuple[Tensor, ...] = ()
        stage_maps: tuple[Any, ...] = ()
        for place, teacher in enumerate(self._teachers):
            teacher_maps = teacher.stage_maps(images)
            logits = logits + (teacher.logits(ops.relu(teacher_maps[-1]), targets),)
            pairs = self._connect(place, _compared_maps(maps), _compared_maps(teacher_maps))
            stage_maps = stage_maps + (pairs,)
        outputs["teacher_logits"] = logits
        outputs["stage_maps"] = stage_maps
        return outputs

    def _connect(
        self, place: int, maps: tuple[Tensor, ...], teacher_maps: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
        """Connect the student's maps with those of the teacher with index `place`."""
        connected: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()
        for stage, connector in enumerate(self._connectors[place]):
            mine = connector(maps[stage].astype(ms.float32))
            theirs = ops.stop_gradient(teacher_maps[stage])
            connected = connected + ((mine, theirs, self._margins[place][stage]),)
        return connected


def _compared_maps(maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Apply the ReLU to the maps of all stages but the last, as fast-reid does in place."""
    compared: tuple[Tensor, ...] = ()
    for stage_map in maps[:-1]:
        compared = compared + (ops.relu(stage_map),)
    return compared + (maps[-1],)


def _check_backbone(backbone: nn.Cell, whose: str, *, like: nn.Cell | None = None) -> None:
    """Check that a backbone gives the maps of its stages, of the sizes of another one's."""
    if not hasattr(backbone, "stage_maps"):
        raise ValueError(
            f"MODEL.META_ARCHITECTURE DistillerOverhaul: {whose} needs MODEL.BACKBONE.NAME "
            f"{_BACKBONE}, which returns the maps of its stages; a {type(backbone).__name__} has "
            f"the same weights as that of the same DEPTH if it is a ResNet."
        )
    if like is not None and backbone.stage_strides != like.stage_strides:
        raise ValueError(
            f"MODEL.META_ARCHITECTURE DistillerOverhaul: the maps of {whose} have other sizes than "
            f"the student's: strides {backbone.stage_strides} and {like.stage_strides}. Set "
            "MODEL.BACKBONE.LAST_STRIDE to the same number."
        )
