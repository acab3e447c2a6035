"""The losses of an MGN: each configured loss on several of its heads, with a weight."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode

from ..losses import build_losses
from .mgn_branches import BRANCHES

logger = logging.getLogger(__name__)

HEAD_NAMES = tuple(name for branch in BRANCHES for name in branch.head_names)


class LossSites(NamedTuple):
    """Where a loss applies.

    Attributes:
        weight: of the loss at each place.
        places: end of the loss's name -> heads whose features it gets, concatenated. A loss on
            logits gets those of the last one.
    """

    weight: float
    places: dict[str, tuple[str, ...]]


# As in fast-reid: every head classifies; the metric losses get whole maps and joined strips.
SITES = {
    "CrossEntropyLoss": LossSites(0.125, {name: (name,) for name in HEAD_NAMES}),
    "TripletLoss": LossSites(
        0.2,
        {
            "b1": ("b1",),
            "b2": ("b2",),
            "b3": ("b3",),
            "b22": ("b21", "b22"),
            "b33": ("b31", "b32", "b33"),
        },
    ),
}


class SitedLoss(nn.Cell):
    """One loss at several places.

    Args:
        loss: from (outputs of a head, targets) to a scalar, with a `key`.
        sites: its weight and places.
    """

    def __init__(self, loss: nn.Cell, sites: LossSites) -> None:
        super().__init__()
        self.loss = loss
        self.weight = sites.weight
        self.names = tuple(f"{loss.key}_{end}" for end in sites.places)
        self.places = tuple(
            tuple(HEAD_NAMES.index(name) for name in heads) for heads in sites.places.values()
        )

    def construct(self, outputs: dict, targets: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`, from the outputs of all heads and targets (N,)."""
        losses: tuple[Tensor, ...] = ()
        for place in self.places:
            features = outputs["features"][place[0]]
            for head in place[1:]:
                features = ops.cat((features, outputs["features"][head]), 1)
            part = {"cls_outputs": outputs["cls_outputs"][place[-1]], "features": features}
            losses = losses + (self.loss(part, targets) * self.weight,)
        return losses


class MgnLosses(nn.Cell):
    """All losses of an MGN.

    Args:
        losses: cells that declare `names` and give scalars from (outputs, targets).
    """

    columns = ("targets",)

    def __init__(self, losses: Sequence[SitedLoss]) -> None:
        super().__init__()
        self.losses = nn.CellList(losses)
        self.names = tuple(name for loss in losses for name in loss.names)

    def construct(self, outputs: dict, targets: Tensor) -> tuple[Tensor, ...]:
        """Compute the losses of a batch.

        Args:
            outputs: `cls_outputs` (N, classes) and `features` (N, D), a tuple of one per head each,
                in the order of `HEAD_NAMES`.
            targets: (N,) int32 classes.

        Returns:
            Scalars in the order of `names`.
        """
        losses: tuple[Tensor, ...] = ()
        for loss in self.losses:
            losses = losses + loss(outputs, targets)
        return losses


def build_mgn_losses(cfg: CfgNode) -> MgnLosses:
    """Build the losses of `MODEL.LOSSES.NAME` that an MGN has: cross entropy and triplet loss.

    Args:
        cfg: the whole configuration.

    Returns:
        A cell from (outputs, targets) to scalars.

    Raises:
        KeyError: for an unknown name.
        ValueError: if none of the names is a loss of MGN's.
    """
    names = tuple(cfg.MODEL.LOSSES.NAME)
    built = list(zip(names, build_losses(cfg)))
    without_effect = [name for name in names if name not in SITES]
    if len(without_effect) == len(names):
        raise ValueError(
            f"MODEL.META_ARCHITECTURE MGN has no loss {', '.join(names)}; name one or both of "
            f"{', '.join(SITES)} in MODEL.LOSSES.NAME."
        )
    if without_effect:
        logger.warning(
            "MGN has the losses %s only: %s in MODEL.LOSSES.NAME has no effect",
            " and ".join(SITES),
            ", ".join(without_effect),
        )
    return MgnLosses([SitedLoss(loss, SITES[name]) for name, loss in built if name in SITES])
