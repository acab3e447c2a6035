"""The registry of losses: one cell per name in `MODEL.LOSSES.NAME`.

A loss has a `key`, its name in logs, and maps the head's outputs and the targets to a scalar. One
that declares `takes_first_labels` is built with the first label of each source domain.
"""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn

from fastreid.config import CfgNode, configurable
from fastreid.utils.registry import Registry

from .circle_loss import pairwise_circleloss, pairwise_cosface
from .cross_entropy_loss import cross_entropy_loss, domain_cross_entropy_loss
from .triplet_loss import triplet_loss

LOSS_REGISTRY = Registry("LOSS")


def build_losses(cfg: CfgNode, first_labels: tuple[int, ...] = ()) -> nn.CellList:
    """Build the losses of `MODEL.LOSSES.NAME`, in that order.

    Args:
        cfg: the whole configuration.
        first_labels: global class with which each source domain starts, of a head with a
            classifier per domain; empty for a head with one classifier.

    Returns:
        Cells from (outputs, targets) to a scalar, each with a `key`.

    Raises:
        KeyError: for an unknown name; the message lists the known ones.
        ValueError: for a registered entry that builds no loss.
    """
    losses = []
    for name in cfg.MODEL.LOSSES.NAME:
        loss = LOSS_REGISTRY.get(name)
        options = {}
        if first_labels and getattr(loss, "takes_first_labels", False):
            options["first_labels"] = first_labels
        losses.append(check_loss(name, loss(cfg, **options)))
    return nn.CellList(losses)


def check_loss(name: str, loss: Any) -> nn.Cell:
    """Check that an entry of the registry has built a loss.

    Args:
        name: registered name of the loss.
        loss: the result of the entry.

    Returns:
        The loss.

    Raises:
        ValueError: if it is not a cell, or has no `key`.
    """
    if not isinstance(loss, nn.Cell) or not isinstance(getattr(loss, "key", None), str):
        raise ValueError(
            f"The loss {name} must be a mindspore.nn.Cell with an attribute key, its name in logs "
            f"such as 'loss_mine'; it is {type(loss).__name__}."
        )
    return loss


@LOSS_REGISTRY.register()
class CrossEntropyLoss(nn.Cell):
    """Label-smoothed cross entropy; per domain where the head has a classifier per domain.

    Args:
        eps: label smoothing; negative: adaptive.
        alpha: factor of the adaptive smoothing.
        scale: weight of this term.
        first_labels: global class with which each domain starts; empty for a single classifier.
    """

    key = "loss_cls"
    takes_first_labels = True

    @configurable
    def __init__(
        self, *, eps: float, alpha: float, scale: float, first_labels: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.eps, self.alpha, self.scale = eps, alpha, scale
        self.first_labels = first_labels

    @classmethod
    def from_config(cls, cfg: CfgNode, first_labels: tuple[int, ...] = ()) -> dict[str, Any]:
        """Read the constructor's arguments from the config."""
        options = cfg.MODEL.LOSSES.CE
        return {
            "eps": options.EPSILON,
            "alpha": options.ALPHA,
            "scale": options.SCALE,
            "first_labels": first_labels,
        }

    def construct(self, outputs: dict, targets: Tensor) -> Tensor:
        """Loss of a batch from `cls_outputs` and targets (N,)."""
        logits = outputs["cls_outputs"]
        if self.first_labels:
            loss = domain_cross_entropy_loss(
                logits, targets, self.first_labels, self.eps, self.alpha
            )
        else:
            loss = cross_entropy_loss(logits, targets, self.eps, self.alpha)
        return loss * self.scale


@LOSS_REGISTRY.register()
class TripletLoss(nn.Cell):
    """`triplet_loss` under the settings of `MODEL.LOSSES.TRI`.

    Args:
        margin: in units of distance; 0: soft margin.
        norm_feat: whether distances are 2 - 2 cos, not euclidean.
        hard_mining: whether mining is batch-hard, not softmax-weighted.
        scale: weight of this term.
    """

    key = "loss_triplet"
    # Losses on pairs of images declare their effect on a batch without positive pairs.
    without_positives = "only pushes images apart"

    @configurable
    def __init__(self, *, margin: float, norm_feat: bool, hard_mining: bool, scale: float) -> None:
        super().__init__()
        self.margin, self.norm_feat = margin, norm_feat
        self.hard_mining, self.scale = hard_mining, scale

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Read the constructor's arguments from the config."""
        options = cfg.MODEL.LOSSES.TRI
        return {
            "margin": options.MARGIN,
            "norm_feat": options.NORM_FEAT,
            "hard_mining": options.HARD_MINING,
            "scale": options.SCALE,
        }

    def construct(self, outputs: dict, targets: Tensor) -> Tensor:
        """Loss of a batch from `features` (N, D) and targets (N,)."""
        loss = triplet_loss(
            outputs["features"], targets, self.margin, self.norm_feat, self.hard_mining
        )
        return loss * self.scale


class _PairwiseLoss(nn.Cell):
    """A pairwise loss with a margin, a scale gamma of its logits, and a weight."""

    def __init__(self, *, margin: float, gamma: float, scale: float) -> None:
        super().__init__()
        self.margin, self.gamma, self.scale = margin, gamma, scale


@LOSS_REGISTRY.register()
class CircleLoss(_PairwiseLoss):
    """`pairwise_circleloss` under the settings of `MODEL.LOSSES.CIRCLE`."""

    key = "loss_circle"
    without_positives = "is 0"

    def __init__(self, cfg: CfgNode) -> None:
        options = cfg.MODEL.LOSSES.CIRCLE
        super().__init__(margin=options.MARGIN, gamma=options.GAMMA, scale=options.SCALE)

    def construct(self, outputs: dict, targets: Tensor) -> Tensor:
        """Loss of a batch from `features` (N, D) and targets (N,)."""
        loss = pairwise_circleloss(outputs["features"], targets, self.margin, self.gamma)
        return loss * self.scale


@LOSS_REGISTRY.register()
class Cosface(_PairwiseLoss):
    """`pairwise_cosface` under the settings of `MODEL.LOSSES.COSFACE`."""

    key = "loss_cosface"
    without_positives = "is 0"

    def __init__(self, cfg: CfgNode) -> None:
        options = cfg.MODEL.LOSSES.COSFACE
        super().__init__(margin=options.MARGIN, gamma=options.GAMMA, scale=options.SCALE)

    def construct(self, outputs: dict, targets: Tensor) -> Tensor:
        """Loss of a batch from `features` (N, D) and targets (N,)."""
        loss = pairwise_cosface(outputs["features"], targets, self.margin, self.gamma)
        return loss * self.scale
