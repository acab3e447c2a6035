"""The part of a batch that each process gets, for each kind of training step.

It is computed from the config; the loaders (`data.pipeline.shards`) cut batches in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastreid.config import CfgNode
from fastreid.data import draws_identities
from fastreid.utils.comm import get_world_size


class BatchShard(NamedTuple):
    """The part of a batch that one process gets.

    Attributes:
        step: kind of step that the batch is for: `BASIC`, `META_TRAIN` or `META_TEST`.
        rows: number of images in the part.
        rows_per_domain: number of images of each domain, for a batch that is made of domains.
    """

    step: str
    rows: int
    rows_per_domain: tuple[int, ...] = ()


BASIC, META_TRAIN, META_TEST = (
    "a basic step",
    "the meta-train half of a meta step",
    "the meta-test half of a meta step",
)


def takes_meta_steps(cfg: CfgNode) -> bool:
    """Tell whether an explicit configuration has meta steps."""
    return cfg.SOLVER.META.PERIOD > 0


def shards_by_step(cfg: CfgNode, num_domains: int, batch_size: int) -> Iterator[list[BatchShard]]:
    """Compute how a batch is divided among the processes, for each kind of step.

    Args:
        cfg: SOLVER.ACCUMULATE, SOLVER.META and SOLVER.META_SHARD of an explicit configuration.
        num_domains: number of source domains.
        batch_size: value of SOLVER.IMS_PER_BATCH, the configured one or another to try.

    Yields:
        One shard per process.
    """
    world_size = get_world_size()
    rows = batch_size // (world_size * cfg.SOLVER.ACCUMULATE)
    yield [BatchShard(BASIC, rows)] * world_size
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
    yield [BatchShard(META_TRAIN, sum(part), part) for part in parts]
    yield [BatchShard(META_TEST, half // world_size, (half // world_size,))] * world_size


def _overlap(first: int, size: int, other_first: int, other_size: int) -> int:
    return max(0, min(first + size, other_first + other_size) - max(first, other_first))


def is_divisible(cfg: CfgNode, batch_size: int) -> bool:
    """Tell whether batches of a size are divided without remainder, by all that divides them.

    Args:
        cfg: DATALOADER, SOLVER.ACCUMULATE and SOLVER.META of an explicit configuration.
        batch_size: value of SOLVER.IMS_PER_BATCH to try.
    """
    world_size, images = get_world_size(), cfg.DATALOADER.NUM_INSTANCE
    by_identity = world_size * images if draws_identities(cfg) else world_size
    units = [by_identity * cfg.SOLVER.ACCUMULATE]
    if cfg.DATALOADER.SAMPLER_TRAIN == "SetReWeightSampler":
        units.append(max(sum(cfg.DATALOADER.SET_WEIGHT), 1) * images)
    if takes_meta_steps(cfg):
        units += [2 * by_identity, 2 * images]
    return all(batch_size % unit == 0 for unit in units)
