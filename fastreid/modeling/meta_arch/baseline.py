"""fast-reid's baseline: backbone, head, losses."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn

from fastreid.config import CfgNode, configurable

from ..backbones import build_backbone
from ..heads import build_heads
from ..losses import build_losses
from .build import META_ARCH_REGISTRY


class Phase(Enum):
    """What a training step is for; decides its losses."""

    BASIC = "basic"
    META_TRAIN = "mtrain"
    META_TEST = "mtest"


def standardise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Standardise pixels.

    Args:
        images: (N, 3, H, W), RGB in [0, 255].
        mean: (1, 3, 1, 1), on the same scale.
        std: (1, 3, 1, 1), on the same scale.

    Returns:
        (N, 3, H, W).
    """
    return (images - mean) / std


def channel_constant(values: Sequence[float]) -> Tensor:
    """Make a (1, 3, 1, 1) float32 tensor of three per-channel values."""
    return Tensor(values, ms.float32).reshape(1, -1, 1, 1)


class ReidLosses(nn.Cell):
    """The losses of a plain model: every term of `MODEL.LOSSES.NAME`.

    Args:
        terms: cells from (outputs, targets) to a scalar, each with a `key`.
    """

    def __init__(self, terms: nn.CellList) -> None:
        super().__init__()
        self.terms = terms
        self.names = tuple(term.key for term in terms)

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002 - one signature for all phases
        """Scalars in the order of `names`, from the model's outputs and targets (N,)."""
        losses = ()
        for term in self.terms:
            losses = losses + (term(outputs, targets),)
        return losses


@META_ARCH_REGISTRY.register()
class Baseline(nn.Cell):
    """Backbone and head (Luo et al., "Bag of tricks", CVPRW 2019).

    Args:
        backbone: (N, 3, H, W) -> (N, C, h, w).
        heads: (N, C, h, w) -> (N, D), or the training outputs.
        criteria: the losses of each phase that the model trains in.
        pixel_mean: of the three channels, in 0..255.
        pixel_std: of the three channels, in 0..255.
    """

    @configurable
    def __init__(
        self,
        *,
        backbone: nn.Cell,
        heads: nn.Cell,
        criteria: dict[Phase, nn.Cell],
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads
        self.pixel_mean = channel_constant(pixel_mean)
        self.pixel_std = channel_constant(pixel_std)
        self._criteria = criteria

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the parts that the config names."""
        return {
            "backbone": build_backbone(cfg),
            "heads": build_heads(cfg),
            "criteria": {Phase.BASIC: ReidLosses(build_losses(cfg))},
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    def criterion(self, phase: Phase) -> nn.Cell:
        """Give the losses of a phase: a cell from (outputs, targets, domainids) to scalars."""
        return self._criteria[phase]

    def construct(self, images: Tensor) -> Tensor:
        """Embed images, in evaluation: (N, 3, H, W) in 0..255 -> (N, D), not normalized."""
        return self.heads(self.backbone(standardise(images, self.pixel_mean, self.pixel_std)))

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute what the losses need, in training, from images (N, 3, H, W) and targets (N,)."""
        images = standardise(images, self.pixel_mean, self.pixel_std)
        return self.heads(self.backbone(images).astype(ms.float32), targets)
