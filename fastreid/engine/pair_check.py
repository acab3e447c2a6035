"""Before training: whether losses on pairs of images can ever see a pair of either kind."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastreid.config import CfgNode
from fastreid.data import CommDataset, draws_identities
from fastreid.utils.comm import get_world_size

from .steps.batch_shares import BASIC, META_TEST, META_TRAIN, Share, can_be_cut, shares_of

logger = logging.getLogger(__name__)

# Losses of MODEL.LOSSES.NAME on pairs, and what each is without a positive. Without a negative all
# are 0.
_NOTHING = "is 0"
_WITHOUT_POSITIVE = {
    "TripletLoss": "only pushes images apart",
    "CircleLoss": _NOTHING,
    "Cosface": _NOTHING,
}


class Loss(NamedTuple):
    """A loss on pairs, and how to tell whether a share can hold what it needs."""

    name: str
    step: str
    without_positive: str
    has_negative: Callable[[Share], bool]
    has_positive: Callable[[Share], bool]


def missing_pairs(cfg: CfgNode, train_set: CommDataset) -> list[str]:
    """Find losses that can never see a negative, or a positive, whatever the samplers draw.

    Args:
        cfg: DATALOADER, MODEL.LOSSES.NAME, SOLVER.IMS_PER_BATCH, SOLVER.META and META_SHARD.
        train_set: what batches are drawn from.

    Returns:
        A sentence for each, with the way out.
    """
    shares = {}
    num_domains = len(train_set.classes_per_domain)
    for of_processes in shares_of(cfg, num_domains, cfg.SOLVER.IMS_PER_BATCH):
        shares[of_processes[0].step] = of_processes
    found = []
    for loss in _losses(cfg, train_set):
        if loss.step not in shares:
            continue
        for kind, sees, then in (
            ("negative", loss.has_negative, _NOTHING),
            ("positive", loss.has_positive, loss.without_positive),
        ):
            without = sum(not sees(share) for share in shares[loss.step])
            if without:
                found.append(_sentence(cfg, train_set, loss, kind, then, without))
    return found


def warn_of_missing_pairs(cfg: CfgNode, train_set: CommDataset) -> None:
    """Log `missing_pairs` as warnings."""
    for sentence in missing_pairs(cfg, train_set):
        logger.warning("%s", sentence)


def _losses(cfg: CfgNode, train_set: CommDataset) -> Iterator[Loss]:
    images = cfg.DATALOADER.NUM_INSTANCE
    counts = Counter(train_set.targets.tolist())
    if draws_identities(cfg):
        basic = (lambda share: share.rows > images), (lambda _: images > 1)
    else:
        # By chance: what a share can hold at most.
        basic = (
            lambda share: min(share.rows, len(counts)) > 1,
            lambda share: min(share.rows, max(counts.values())) > 1,
        )
    for name, then in _WITHOUT_POSITIVE.items():
        if name in cfg.MODEL.LOSSES.NAME:
            yield Loss(name, BASIC, then, *basic)
    several = (lambda share: share.rows > images), (lambda _: images > 1)
    apart = _WITHOUT_POSITIVE["TripletLoss"]
    yield Loss("loss_triplet_mtrain", META_TRAIN, apart, *several)
    yield Loss("loss_triplet_mtest", META_TEST, apart, *several)
    yield Loss(
        "loss_triplet_add",
        META_TRAIN,
        "does not pull domains together",
        lambda share: max(share.rows_of_domains) > images,
        lambda share: sum(rows > 0 for rows in share.rows_of_domains) > 1,
    )


def _sentence(
    cfg: CfgNode, train_set: CommDataset, loss: Loss, kind: str, then: str, without: int
) -> str:
    world_size = get_world_size()
    where = "" if world_size == 1 else f" on {without} of {world_size} processes"
    if kind == "negative":
        way_out = _more_rows(cfg, train_set, loss)
    elif loss.name == "loss_triplet_add":
        way_out = _more_domains(cfg)
    else:
        way_out = _more_images(cfg, loss)
    return f"{loss.name} can never see a {kind} in {loss.step}{where}, and {then}: {way_out}."


def _more_rows(cfg: CfgNode, train_set: CommDataset, loss: Loss) -> str:
    if train_set.num_classes == 1:
        return f"the training sets {tuple(cfg.DATASETS.NAMES)} have a single identity"
    size = cfg.SOLVER.IMS_PER_BATCH + 1
    while not (can_be_cut(cfg, size) and _always_has_negative(cfg, train_set, loss, size)):
        size += 1
    return (
        f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} has room for one identity there; the "
        f"smallest with room for two is {size}"
    )


def _always_has_negative(cfg: CfgNode, train_set: CommDataset, loss: Loss, batch_size: int) -> bool:
    steps = shares_of(cfg, len(train_set.classes_per_domain), batch_size)
    shares = [share for of_processes in steps for share in of_processes]
    return all(loss.has_negative(share) for share in shares if share.step == loss.step)


def _more_images(cfg: CfgNode, loss: Loss) -> str:
    if loss.step != BASIC or draws_identities(cfg):
        return (
            f"DATALOADER.NUM_INSTANCE is {cfg.DATALOADER.NUM_INSTANCE}; set it to 2 or more images "
            "per identity"
        )
    return (
        f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} has room for a single image there, or no "
        "identity has two images"
    )


def _more_domains(cfg: CfgNode) -> str:
    fault = "its positives are images of another domain, and those there are of one"
    if get_world_size() > 1 and cfg.SOLVER.META_SHARD != "mixed" and len(cfg.DATASETS.NAMES) > 2:
        return f"{fault}; SOLVER.META_SHARD mixed gives each process a part of every domain"
    return f"{fault}; DATASETS.NAMES must have three or more domains for it"
