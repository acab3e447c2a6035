"""Check before training that losses on pairs of images can get positive and negative pairs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastreid.config import CfgNode
from fastreid.data import CommDataset, draws_identities
from fastreid.modeling import LOSS_REGISTRY
from fastreid.utils.comm import get_world_size

from .steps.batch_shards import (
    BASIC,
    META_TEST,
    META_TRAIN,
    BatchShard,
    is_divisible,
    shards_by_step,
)

logger = logging.getLogger(__name__)

# The effect of every loss on pairs without negative pairs; without positive pairs it depends on the
# loss, which declares it.
_WITHOUT_NEGATIVES = "is 0"


class Loss(NamedTuple):
    """A loss on pairs, and the pairs that a shard can contain.

    Attributes:
        name: name of the loss.
        step: kind of step that it belongs to.
        without_positives: its effect without positive pairs, in words.
        has_negative: whether a shard can contain a negative pair.
        has_positive: whether a shard can contain a positive pair.
    """

    name: str
    step: str
    without_positives: str
    has_negative: Callable[[BatchShard], bool]
    has_positive: Callable[[BatchShard], bool]


def missing_pairs(cfg: CfgNode, train_set: CommDataset) -> list[str]:
    """Find losses for which no batch can contain a negative, or a positive, pair.

    Args:
        cfg: DATALOADER, MODEL.LOSSES.NAME, SOLVER.IMS_PER_BATCH, SOLVER.META and META_SHARD.
        train_set: the training images.

    Returns:
        A sentence for each, with advice.
    """
    num_domains = len(train_set.classes_per_domain)
    shards_of_step = {
        shards[0].step: shards
        for shards in shards_by_step(cfg, num_domains, cfg.SOLVER.IMS_PER_BATCH)
    }
    sentences = []
    for loss in _losses(cfg, train_set):
        for kind, has_pair, effect in (
            ("negative", loss.has_negative, _WITHOUT_NEGATIVES),
            ("positive", loss.has_positive, loss.without_positives),
        ):
            without = sum(not has_pair(shard) for shard in shards_of_step.get(loss.step, ()))
            if without:
                sentences.append(_sentence(cfg, train_set, loss, kind, effect, without))
    return sentences


def warn_of_missing_pairs(cfg: CfgNode, train_set: CommDataset) -> None:
    """Log `missing_pairs` as warnings."""
    for sentence in missing_pairs(cfg, train_set):
        logger.warning("%s", sentence)


def _losses(cfg: CfgNode, train_set: CommDataset) -> Iterator[Loss]:
    images = cfg.DATALOADER.NUM_INSTANCE
    counts = Counter(train_set.targets.tolist())
    if draws_identities(cfg):
        basic = (lambda shard: shard.rows > images), (lambda _: images > 1)
    else:
        # Images are drawn at random: check the most favourable batch.
        basic = (
            lambda shard: min(shard.rows, len(counts)) > 1,
            lambda shard: min(shard.rows, max(counts.values())) > 1,
        )
    for name in cfg.MODEL.LOSSES.NAME:
        effect = getattr(LOSS_REGISTRY.get(name), "without_positives", None)
        if effect is not None:
            yield Loss(name, BASIC, effect, *basic)
    by_identity = (lambda shard: shard.rows > images), (lambda _: images > 1)
    effect = LOSS_REGISTRY.get("TripletLoss").without_positives
    yield Loss("loss_triplet_mtrain", META_TRAIN, effect, *by_identity)
    yield Loss("loss_triplet_mtest", META_TEST, effect, *by_identity)
    yield Loss(
        "loss_triplet_add",
        META_TRAIN,
        "does not pull domains together",
        lambda shard: max(shard.rows_per_domain) > images,
        lambda shard: sum(rows > 0 for rows in shard.rows_per_domain) > 1,
    )


def _sentence(
    cfg: CfgNode, train_set: CommDataset, loss: Loss, kind: str, effect: str, without: int
) -> str:
    world_size = get_world_size()
    where = "" if world_size == 1 else f" on {without} of {world_size} processes"
    if kind == "negative":
        advice = _more_rows(cfg, train_set, loss)
    elif loss.name == "loss_triplet_add":
        advice = _more_domains(cfg)
    else:
        advice = _more_images(cfg, loss)
    return f"{loss.name} never gets a {kind} pair in {loss.step}{where}, and {effect}: {advice}."


def _more_rows(cfg: CfgNode, train_set: CommDataset, loss: Loss) -> str:
    if train_set.num_classes == 1:
        return f"the training sets {tuple(cfg.DATASETS.NAMES)} have a single identity"
    size = cfg.SOLVER.IMS_PER_BATCH + 1
    while not (is_divisible(cfg, size) and _always_has_negative(cfg, train_set, loss, size)):
        size += 1
    return (
        f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} holds one identity there; the smallest "
        f"that holds two is {size}"
    )


def _always_has_negative(cfg: CfgNode, train_set: CommDataset, loss: Loss, batch_size: int) -> bool:
    steps = shards_by_step(cfg, len(train_set.classes_per_domain), batch_size)
    shards = [shard for shards_of_step in steps for shard in shards_of_step]
    return all(loss.has_negative(shard) for shard in shards if shard.step == loss.step)


def _more_images(cfg: CfgNode, loss: Loss) -> str:
    if loss.step != BASIC or draws_identities(cfg):
        return (
            f"DATALOADER.NUM_INSTANCE is {cfg.DATALOADER.NUM_INSTANCE}; set it to 2 or more images "
            "per identity"
        )
    return (
        f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} holds a single image there, or no "
        "identity has two images"
    )


def _more_domains(cfg: CfgNode) -> str:
    cause = "its positives are images of another domain, and there is one domain"
    if get_world_size() > 1 and cfg.SOLVER.META_SHARD != "mixed" and len(cfg.DATASETS.NAMES) > 2:
        return f"{cause}; SOLVER.META_SHARD mixed gives each process a part of every domain"
    return f"{cause}; DATASETS.NAMES must have three or more domains for it"
