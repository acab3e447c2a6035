"""MGN: a ResNet with three branches, of which two have heads on horizontal strips.

Wang et al., "Learning Discriminative Features with Multiple Granularities for Person
Re-Identification", ACM MM 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable

from ..heads import build_heads
from .baseline import channel_constant, no_targets, standardise
from .build import META_ARCH_REGISTRY
from .mgn_branches import BRANCHES, TRUNK, build_trunk_and_branches, strip_height
from .mgn_losses import HEAD_NAMES, build_mgn_losses

# The order of the heads' embeddings in the feature: whole maps first.
FEATURE_ORDER = (
    *(branch.name for branch in BRANCHES),
    *(name for branch in BRANCHES for name in branch.head_names[1:]),
)


@META_ARCH_REGISTRY.register()
class MGN(nn.Cell):
    """Multiple Granularities Network, with fast-reid's names for its parts.

    Args:
        parts: "backbone", from images (N, 3, H, W) to maps (N, C, h, w), and "b1", "b2" and "b3",
            from these to maps (N, FEAT_DIM, h', w').
        heads: head name -> head of an embedding (N, D), for each of `HEAD_NAMES`.
        criterion: the losses, a cell from (outputs, targets) to scalars.
        pixel_mean: of the three channels, in 0..255.
        pixel_std: of the three channels, in 0..255.
    """

    takes_paths = False
    takes_meta_steps = False
    # The parts with the layers of a backbone, which mixed precision covers.
    half_precision_parts = (TRUNK, *(branch.name for branch in BRANCHES))

    @configurable
    def __init__(
        self,
        *,
        parts: Mapping[str, nn.Cell],
        heads: Mapping[str, nn.Cell],
        criterion: nn.Cell,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
    ) -> None:
        super().__init__()
        for name in self.half_precision_parts:
            setattr(self, name, parts[name])
        for name in HEAD_NAMES:
            setattr(self, f"{name}_head", heads[name])
        # The same cells in tuples, which `construct` iterates over.
        self._branches = tuple(parts[branch.name] for branch in BRANCHES)
        self._heads = tuple(heads[name] for name in HEAD_NAMES)
        self.strips = tuple(branch.strips for branch in BRANCHES)
        self.feature_order = tuple(HEAD_NAMES.index(name) for name in FEATURE_ORDER)
        self.pixel_mean = channel_constant(pixel_mean)
        self.pixel_std = channel_constant(pixel_std)
        # In a tuple, so that the losses are no child cell: their parameters are not the model's.
        self._criterion = (criterion,)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the constructor's arguments from the config.

        Raises:
            ValueError: for a backbone, head, losses or image size that MGN cannot have.
        """
        heads = {name: build_heads(cfg) for name in HEAD_NAMES}
        if hasattr(heads[HEAD_NAMES[0]], "first_labels"):
            raise ValueError(
                f"MODEL.META_ARCHITECTURE MGN needs heads of one classifier, not "
                f"MODEL.HEADS.NAME {cfg.MODEL.HEADS.NAME}; set it to EmbeddingHead."
            )
        return {
            "parts": build_trunk_and_branches(cfg),
            "heads": heads,
            "criterion": build_mgn_losses(cfg),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    def criterion(self) -> nn.Cell:
        """Return the losses: a cell from (outputs, targets) to scalars."""
        return self._criterion[0]

    def branch_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the map of each branch.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].

        Returns:
            Three maps (N, FEAT_DIM, h', w') float32.
        """
        mean, std = self.pixel_mean, self.pixel_std
        shared = self.backbone(standardise(images, mean, std, training=self.training))
        maps: tuple[Tensor, ...] = ()
        for branch in self._branches:
            maps = maps + (branch(shared).astype(ms.float32),)
        return maps

    def head_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the map of each head, in the order of `HEAD_NAMES`.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].

        Returns:
            Those of `divide`.
        """
        return self.divide(self.branch_maps(images))

    def divide(self, branch_maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Divide the maps of the branches into those of the heads, in the order of `HEAD_NAMES`.

        Args:
            branch_maps: three maps (N, FEAT_DIM, h', w').

        Returns:
            The maps of the branches; each is followed by its strips, which divide the rows as
            ``torch.chunk`` does.
        """
        maps: tuple[Tensor, ...] = ()
        for whole, strips in zip(branch_maps, self.strips):
            maps = maps + (whole,)
            if strips > 0:
                rows = strip_height(whole.shape[2], strips)
                for strip in range(strips):
                    maps = maps + (whole[:, :, strip * rows : (strip + 1) * rows],)
        return maps

    def construct(self, images: Tensor) -> Tensor:
        """Embed images, in evaluation: (N, 3, H, W) in 0..255 -> (N, 8 * D), not normalized."""
        return self.embed(self.branch_maps(images))

    def embed(self, branch_maps: tuple[Tensor, ...]) -> Tensor:
        """Compute the feature, in evaluation.

        Args:
            branch_maps: three maps (N, FEAT_DIM, h', w').

        Returns:
            (N, 8 * D), not normalized.
        """
        maps = self.divide(branch_maps)
        embeddings: tuple[Tensor, ...] = ()
        for place in self.feature_order:
            embeddings = embeddings + (self._heads[place](maps[place]),)
        return ops.cat(embeddings, 1)

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Any]:
        """Compute the inputs of the losses, in training.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 class of each row.

        Returns:
            `cls_outputs` and `features` of each head, tuples in the order of `HEAD_NAMES`; and
            `pred_class_logits` (N, classes) of the first.
        """
        maps = self.head_maps(images)
        logits: tuple[Tensor, ...] = ()
        features: tuple[Tensor, ...] = ()
        predictions: tuple[Tensor, ...] = ()
        for head, head_map in zip(self._heads, maps):
            outputs = head(head_map, targets)
            logits = logits + (outputs["cls_outputs"],)
            features = features + (outputs["features"],)
            predictions = predictions + (outputs["pred_class_logits"],)
        return {
            "cls_outputs": logits,
            "features": features,
            "pred_class_logits": predictions[0],
        }

    def run_for_statistics(self, images: Tensor) -> dict[str, Any]:
        """Run all branches and heads in training, to update running statistics."""
        return self.outputs(images, no_targets(images))
