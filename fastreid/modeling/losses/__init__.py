"""Losses: functions of tensors, and the cells that configs name."""

from .build import (
    LOSS_REGISTRY,
    CircleLoss,
    Cosface,
    CrossEntropyLoss,
    TripletLoss,
    build_losses,
    check_loss,
)
from .circle_loss import loss_of_pairs, pairwise_circleloss, pairwise_cosface
from .cross_entropy_loss import cross_entropy_loss, domain_cross_entropy_loss
from .domain_losses import center_loss, inter_domain_loss, intra_domain_loss, scatter_loss
from .focal_loss import focal_loss
from .masks import cross_domain_masks, same_label
from .triplet_loss import (
    cosine_distances,
    euclidean_distances,
    hardest_pairs,
    margin_loss,
    soft_margin_loss,
    triplet_loss,
    weighted_pairs,
)

__all__ = [
    "LOSS_REGISTRY",
    "CircleLoss",
    "Cosface",
    "CrossEntropyLoss",
    "TripletLoss",
    "build_losses",
    "check_loss",
    "center_loss",
    "cosine_distances",
    "cross_domain_masks",
    "cross_entropy_loss",
    "domain_cross_entropy_loss",
    "euclidean_distances",
    "focal_loss",
    "hardest_pairs",
    "inter_domain_loss",
    "intra_domain_loss",
    "loss_of_pairs",
    "margin_loss",
    "pairwise_circleloss",
    "pairwise_cosface",
    "same_label",
    "scatter_loss",
    "soft_margin_loss",
    "triplet_loss",
    "weighted_pairs",
]
