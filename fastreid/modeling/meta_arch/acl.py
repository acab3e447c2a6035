"""ACL: a baseline with domains, routing paths and three phases (ECCV 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable

from ..backbones import build_backbone
from ..heads import build_heads
from ..losses import (
    LOSS_REGISTRY,
    CrossEntropyLoss,
    center_loss,
    check_loss,
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
from .baseline import Phase, channel_constant, standardise
from .build import META_ARCH_REGISTRY

_BASIC_CENTER_SCALE = 5e-4
_META_CENTER_SCALE = 1e-3
_META_MARGIN = 0.3


class _DomainTerms(nn.Cell):
    """The two losses on routing paths, which every phase adds."""

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

    def __init__(self, terms: nn.CellList, num_domains: int, num_classes: int) -> None:
        super().__init__()
        self.terms = terms
        self.num_classes = num_classes
        self.domain_terms = _DomainTerms(num_domains)
        keys = tuple(term.key for term in terms)
        self.names = keys + ("loss_domain_intra", "loss_domain_inter", "loss_Center")

    def construct(self, outputs: dict, targets: Tensor, domainids: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`."""
        losses = ()
        for term in self.terms:
            losses = losses + (term(outputs, targets),)
        center = center_loss(outputs["center_distances"], self.num_classes) * _BASIC_CENTER_SCALE
        return losses + self.domain_terms(outputs, domainids) + (center,)


class MetaTrainLosses(nn.Cell):
    """Losses of the first half of a meta step, on the seen domains.

    Args:
        num_domains: number of source domains.
    """

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
class ACL(nn.Cell):
    """Router backbone and head of many domains.

    Args:
        backbone: (N, 3, H, W) -> features (N, C, h, w) and paths (N, P).
        heads: (N, C, h, w) -> (N, D), or the training outputs.
        criteria: the losses of each phase.
        pixel_mean: of the three channels, in 0..255.
        pixel_std: of the three channels, in 0..255.
    """

    # Whether training alternates basic steps with meta steps.
    takes_meta_steps = True

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
        heads = build_heads(cfg)
        return {
            "backbone": build_backbone(cfg),
            "heads": heads,
            "criteria": _build_criteria(cfg, heads),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    def criterion(self, phase: Phase) -> nn.Cell:
        """Give the losses of a phase: a cell from (outputs, targets, domainids) to scalars."""
        return self._criteria[phase]

    def construct(self, images: Tensor) -> Tensor:
        """Embed images, in evaluation: (N, 3, H, W) in 0..255 -> (N, D), not normalized."""
        features, _ = self.backbone(standardise(images, self.pixel_mean, self.pixel_std))
        return self.heads(features)

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute what the losses need, in training, from images (N, 3, H, W) and targets (N,)."""
        images = standardise(images, self.pixel_mean, self.pixel_std)
        features, paths = self.backbone(images)
        outputs = self.heads(features.astype(ms.float32), targets)
        outputs["paths"] = paths
        return outputs


def _build_criteria(cfg: CfgNode, heads: nn.Cell) -> dict[Phase, nn.Cell]:
    terms = []
    for name in cfg.MODEL.LOSSES.NAME:
        loss = LOSS_REGISTRY.get(name)
        options = {"first_labels": heads.first_labels} if loss is CrossEntropyLoss else {}
        terms.append(check_loss(name, loss(cfg, **options)))
    return {
        Phase.BASIC: BasicLosses(nn.CellList(terms), heads.num_domains, heads.num_classes),
        Phase.META_TRAIN: MetaTrainLosses(heads.num_domains),
        Phase.META_TEST: MetaTestLosses(heads.num_domains, heads.num_classes),
    }
