"""What one process computes on in each kind of training step: rows, identities, domains.

Worked out from the config; the loaders (`data.pipeline.shards`) cut batches in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastreid.config import CfgNode
from fastreid.data import draws_identities
from fastreid.utils.comm import get_world_size


class Share(NamedTuple):
    """The part of a batch that one process gets.

    Attributes:
        step: what kind of step the batch is for, in words.
        rows: images in it.
        rows_of_domains: the same, for each domain of a batch that is made of domains.
    """

    step: str
    rows: int
    rows_of_domains: tuple[int, ...] = ()


BASIC, META_TRAIN, META_TEST = (
    "a basic step",
    "the meta-train half of a meta step",
    "the meta-test half of a meta step",
)


def takes_meta_steps(cfg: CfgNode) -> bool:
    """Tell whether an explicit configuration asks for meta steps."""
    return cfg.SOLVER.META.PERIOD > 0


def shares_of(cfg: CfgNode, num_domains: int, batch_size: int) -> Iterator[list[Share]]:
    """List what the processes get of a batch, for each kind of step.

    Args:
        cfg: SOLVER.META and SOLVER.META_SHARD of an explicit configuration.
        num_domains: source domains.
        batch_size: SOLVER.IMS_PER_BATCH, or what might stand there.

    Yields:
        One share per process.
    """
    world_size = get_world_size()
    yield [Share(BASIC, batch_size // world_size)] * world_size
    if not takes_meta_steps(cfg):
        return
    half, seen = batch_size // 2, num_domains - 1
    if cfg.SOLVER.META_SHARD == "mixed" or world_size == 1:
        parts = [(half // world_size,) * seen] * world_size
    else:
        size = seen * half // world_size
        parts = [
            tuple(_overlap(rank * size, size, domain * half, half) for domain in range(seen))
            for rank in range(world_size)
        ]
    yield [Share(META_TRAIN, sum(part), part) for part in parts]
    yield [Share(META_TEST, half // world_size, (half // world_size,))] * world_size


def _overlap(first: int, size: int, other_first: int, other_size: int) -> int:
    return max(0, min(first + size, other_first + other_size) - max(first, other_first))


def can_be_cut(cfg: CfgNode, batch_size: int) -> bool:
    """Tell whether the samplers and the processes can make batches of a size.

    Args:
        cfg: DATALOADER and SOLVER.META of an explicit configuration.
        batch_size: what might stand in SOLVER.IMS_PER_BATCH.
    """
    world_size, images = get_world_size(), cfg.DATALOADER.NUM_INSTANCE
    by_identity = world_size * images if draws_identities(cfg) else world_size
    units = [by_identity]
    if cfg.DATALOADER.SAMPLER_TRAIN == "SetReWeightSampler":
        units.append(max(sum(cfg.DATALOADER.SET_WEIGHT), 1) * images)
    if takes_meta_steps(cfg):
        units += [2 * by_identity, 2 * images]
    return all(batch_size % unit == 0 for unit in units)
