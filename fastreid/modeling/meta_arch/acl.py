"""ACL: `Baseline` with source domains, routing paths and three training phases.

Zhang et al., "Adaptive Cross-Domain Learning for Generalizable Person Re-Identification",
ECCV 2022.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable

from ..backbones import build_backbone
from ..heads import build_heads
from ..losses import (
    build_losses,
    center_loss,
    cross_domain_masks,
    euclidean_distances,
    hardest_pairs,
    inter_domain_loss,
    intra_domain_loss,
    margin_loss,
    same_label,
    scatter_loss,
    soft_margin_loss,
)
from .baseline import Baseline, ReidLosses, no_targets
from .build import META_ARCH_REGISTRY

_BASIC_CENTER_SCALE = 5e-4
_META_CENTER_SCALE = 1e-3
_META_MARGIN = 0.3


class Phase(Enum):
    """The kind of a training step, which decides its losses."""

    BASIC = "basic"
    META_TRAIN = "mtrain"
    META_TEST = "mtest"


# Columns of the batch that the losses of each phase take after the model's outputs.
_COLUMNS = ("targets", "domainids")


class _DomainTerms(nn.Cell):
    """The two losses on routing paths, common to all phases."""

    def __init__(self, num_domains: int) -> None:
        super().__init__()
        self.num_domains = num_domains

    def construct(self, outputs: dict, domainids: Tensor) -> tuple[Tensor, Tensor]:
        paths = outputs["paths"]
        return (
            intra_domain_loss(paths, domainids, self.num_domains),
            inter_domain_loss(paths, domainids, self.num_domains),
        )


class BasicLosses(nn.Cell):
    """Losses of a basic step: the configured terms, the domain terms and the centre term.

    Args:
        terms: cells from (outputs, targets) to a scalar, each with a `key`.
        num_domains: number of source domains.
        num_classes: identities of all of them together.
    """

    columns = _COLUMNS

    def __init__(self, terms: nn.CellList, num_domains: int, num_classes: int) -> None:
        super().__init__()
        self.configured = ReidLosses(terms)
        self.num_classes = num_classes
        self.domain_terms = _DomainTerms(num_domains)
        self.names = (
            *self.configured.names,
            *("loss_domain_intra", "loss_domain_inter", "loss_Center"),
        )

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`."""
        losses = self.configured(outputs, targets)
        center = center_loss(outputs["center_distances"], self.num_classes) * _BASIC_CENTER_SCALE
        return losses + self.domain_terms(outputs, domainids) + (center,)


class MetaTrainLosses(nn.Cell):
    """Losses of the first half of a meta step, on the seen domains.

    Args:
        num_domains: number of source domains.
    """

    columns = _COLUMNS

    def __init__(self, num_domains: int) -> None:
        super().__init__()
        self.num_domains = num_domains
        self.domain_terms = _DomainTerms(num_domains)
        self.names = (
            "loss_triplet_add",
            "loss_triplet_mtrain",
            "loss_stc",
            "loss_domain_intra",
            "loss_domain_inter",
        )

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`."""
        features = outputs["features"]
        distances = euclidean_distances(features)
        is_positive, is_negative = cross_domain_masks(targets, domainids)
        additional = soft_margin_loss(*hardest_pairs(distances, is_positive, is_negative))
        identity = _identity_margin_loss(distances, targets)
        scatter = scatter_loss(features, domainids, self.num_domains)
        return (additional, identity, scatter) + self.domain_terms(outputs, domainids)


class MetaTestLosses(nn.Cell):
    """Losses of the second half of a meta step, on the held-out domain.

    Args:
        num_domains: number of source domains.
        num_classes: identities of all of them together.
    """

    columns = _COLUMNS

    def __init__(self, num_domains: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.domain_terms = _DomainTerms(num_domains)
        self.names = (
            "loss_triplet_mtest",
            "loss_domain_intra",
            "loss_domain_inter",
            "loss_Center",
        )

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`."""
        triplet = _identity_margin_loss(euclidean_distances(outputs["features"]), targets)
        center = center_loss(outputs["center_distances"], self.num_classes) * _META_CENTER_SCALE
        return (triplet,) + self.domain_terms(outputs, domainids) + (center,)


def _identity_margin_loss(distances: Tensor, targets: Tensor) -> Tensor:
    is_positive = same_label(targets)
    pairs = hardest_pairs(distances, is_positive, ops.logical_not(is_positive))
    return margin_loss(*pairs, _META_MARGIN)


@META_ARCH_REGISTRY.register()
class ACL(Baseline):
    """`Baseline` with a router backbone, a head of several domains, and losses for each phase.

    Args:
        criteria: for each phase, a cell from (outputs, targets, domainids) to scalars.
        **options: arguments of `Baseline`; the backbone returns features (N, C, h, w) and paths
            (N, P).
    """

    takes_paths = True
    takes_meta_steps = True

    @configurable
    def __init__(self, *, criteria: dict[Phase, nn.Cell], **options: Any) -> None:
        super().__init__(criterion=criteria[Phase.BASIC], **options)
        self._criteria = criteria

    @classmethod
    def build_parts(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the router backbone, the head and the losses of each phase.

        Raises:
            ValueError: for a head without a classifier per source domain.
        """
        # The head first: the order decides which random start values each part gets.
        heads = build_heads(cfg)
        if not hasattr(heads, "first_labels"):
            raise ValueError(
                "MODEL.META_ARCHITECTURE ACL needs MODEL.HEADS.NAME MetaEmbeddingHead, not "
                f"{cfg.MODEL.HEADS.NAME}."
            )
        terms = build_losses(cfg, heads.first_labels)
        criteria = {
            Phase.BASIC: BasicLosses(terms, heads.num_domains, heads.num_classes),
            Phase.META_TRAIN: MetaTrainLosses(heads.num_domains),
            Phase.META_TEST: MetaTestLosses(heads.num_domains, heads.num_classes),
        }
        return {"backbone": build_backbone(cfg), "heads": heads, "criteria": criteria}

    def criterion(self, phase: Phase = Phase.BASIC) -> nn.Cell:
        """Return the losses of a phase: a cell from (outputs, targets, domainids) to scalars."""
        return self._criteria[phase]

    def construct(self, images: Tensor) -> Tensor:
        """Embed images, in evaluation: (N, 3, H, W) in 0..255 -> (N, D), not normalized."""
        features, _ = self.run_backbone(images)
        return self.heads(features)

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the inputs of the losses, in training, of images (N, 3, H, W), targets (N,)."""
        features, paths = self.run_backbone(images)
        outputs = self.heads(features.astype(ms.float32), targets)
        outputs["paths"] = paths
        return outputs

    def run_for_statistics(self, images: Tensor) -> dict[str, Tensor]:
        """Run the backbone and the head in training, to update running statistics."""
        features, _ = self.run_backbone(images)
        return self.heads(features.astype(ms.float32), no_targets(images))
