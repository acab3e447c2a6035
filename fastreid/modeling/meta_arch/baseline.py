"""fast-reid's baseline: a backbone, a head and losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable

from ..backbones import build_backbone
from ..heads import build_heads
from ..losses import build_losses
from .build import META_ARCH_REGISTRY

_divide = ops.RealDiv()


def standardise(images: Tensor, mean: Tensor, std: Tensor, *, training: bool = False) -> Tensor:
    """Standardise pixels.

    Args:
        images: (N, 3, H, W), RGB in [0, 255].
        mean: (1, 3, 1, 1), on the same scale.
        std: (1, 3, 1, 1), on the same scale.
        training: compute the same numbers in less memory. Without it, the graph is the one that is
            exported.

    Returns:
        (N, 3, H, W).
    """
    if not training:
        return (images - mean) / std
    # On CPU, differences and quotients that are broadcast, and all of `ops.div`, keep 16 bytes for
    # each number as long as the compiled graph lives. `depend` keeps the compiler from computing
    # the broadcast constants, which it would keep too.
    centred = images - ops.broadcast_to(ops.depend(mean, images), images.shape)
    return _divide(centred, ops.broadcast_to(ops.depend(std, centred), images.shape))


def channel_constant(values: Sequence[float]) -> Tensor:
    """Return three per-channel values as a float32 tensor (1, 3, 1, 1)."""
    return Tensor(values, ms.float32).reshape(1, -1, 1, 1)


def no_targets(images: Tensor) -> Tensor:
    """Return class 0 for each image (N, 3, H, W), where the class has no effect: (N,) int32."""
    return ops.zeros((images.shape[0],), ms.int32)


class ReidLosses(nn.Cell):
    """The losses of `MODEL.LOSSES.NAME`.

    Args:
        terms: cells from (outputs, targets) to a scalar, each with a `key`.
    """

    # Columns of the batch that the losses take after the model's outputs, in this order.
    columns = ("targets",)

    def __init__(self, terms: nn.CellList) -> None:
        super().__init__()
        self.terms = terms
        self.names = tuple(term.key for term in terms)

    def construct(self, outputs: dict, targets: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`, from the model's outputs and targets (N,)."""
        losses: tuple[Tensor, ...] = ()
        for term in self.terms:
            losses = losses + (term(outputs, targets),)
        return losses


@META_ARCH_REGISTRY.register()
class Baseline(nn.Cell):
    """Backbone and head (Luo et al., "Bag of tricks", CVPRW 2019).

    Args:
        backbone: (N, 3, H, W) -> (N, C, h, w).
        heads: (N, C, h, w) -> (N, D), or the training outputs.
        criterion: the losses, a cell from (outputs, targets) to scalars.
        pixel_mean: mean of the three channels, in 0..255.
        pixel_std: standard deviation of the three channels, in 0..255.
    """

    # Whether the backbone must return routing paths beside the features.
    takes_paths = False
    # Whether training alternates basic steps with meta steps.
    takes_meta_steps = False

    @configurable
    def __init__(
        self,
        *,
        backbone: nn.Cell,
        heads: nn.Cell,
        criterion: nn.Cell,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads
        self.pixel_mean = channel_constant(pixel_mean)
        self.pixel_std = channel_constant(pixel_std)
        # In a tuple, so that the losses do not become a child cell with parameters of the model.
        self._criterion = (criterion,)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the constructor's arguments from the config."""
        return {
            **cls.build_parts(cfg),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    @classmethod
    def build_parts(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the backbone, the head and the losses."""
        return {
            "backbone": build_backbone(cfg),
            "heads": build_heads(cfg),
            "criterion": ReidLosses(build_losses(cfg)),
        }

    def criterion(self) -> nn.Cell:
        """Return the losses: a cell from (outputs, targets) to scalars."""
        return self._criterion[0]

    def run_backbone(self, images: Tensor) -> Any:
        """Standardise images (N, 3, H, W) in 0..255 and compute the backbone's outputs."""
        return self.backbone(self.standardised(images))

    def standardised(self, images: Tensor) -> Tensor:
        """Standardise images (N, 3, H, W) in 0..255, as the backbone gets them."""
        return standardise(images, self.pixel_mean, self.pixel_std, training=self.training)

    def construct(self, images: Tensor) -> Tensor:
        """Embed images, in evaluation: (N, 3, H, W) in 0..255 -> (N, D), not normalized."""
        return self.heads(self.run_backbone(images))

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the inputs of the losses, in training, of images (N, 3, H, W), targets (N,)."""
        return self.heads(self.run_backbone(images).astype(ms.float32), targets)

    def run_for_statistics(self, images: Tensor) -> Any:
        """Run the backbone and the head in training, to update running statistics and nothing else.

        A subclass whose `outputs` has other effects, as storing features, inherits this method.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].

        Returns:
            The outputs of the head for class 0, which no loss may use.
        """
        features = self.run_backbone(images).astype(ms.float32)
        return self.heads(features, no_targets(images))
