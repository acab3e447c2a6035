"""The shard of this process, from the config and the number of processes."""

from __future__ import annotations

from fastreid.config import CfgNode
from fastreid.utils import comm

from .pipeline.shards import (
    META_SHARDS,
    Shard,
    ShardRows,
    check_shard_sizes,
    contiguous_shard_rows,
    held_out_domain,
    meta_shard_rows,
)


def own_shard() -> Shard:
    """Give the shard of this process."""
    return Shard(comm.get_rank(), comm.get_world_size())


def check_shards(cfg: CfgNode, *, by_identity: bool) -> None:
    """Check that the batches of the config can be divided among the processes.

    Args:
        cfg: SOLVER.IMS_PER_BATCH, SOLVER.META_SHARD, SOLVER.META, DATALOADER.NUM_INSTANCE.
        by_identity: whether the sampler draws whole identities, which must not be divided.

    Raises:
        ValueError: they cannot, or SOLVER.META_SHARD has an unknown value.
    """
    if cfg.SOLVER.META_SHARD not in META_SHARDS:
        raise ValueError(
            f"SOLVER.META_SHARD is {cfg.SOLVER.META_SHARD!r}; it must be one of {META_SHARDS}."
        )
    check_shard_sizes(
        cfg.SOLVER.IMS_PER_BATCH,
        # The sampler checks NUM_INSTANCE, and rejects values below 1.
        max(cfg.DATALOADER.NUM_INSTANCE, 1) if by_identity else 1,
        comm.get_world_size(),
        has_meta_steps=cfg.SOLVER.META.PERIOD > 0,
    )


def meta_rows(cfg: CfgNode, domain: int, num_domains: int) -> ShardRows:
    """Select the rows of a domain's batches that this process takes in meta steps.

    Args:
        cfg: SOLVER.IMS_PER_BATCH, SOLVER.META_SHARD, SOLVER.META.PERIOD, SEED.
        domain: number of the domain.
        num_domains: number of source domains.

    Returns:
        Function from the number of a batch to the rows.
    """
    batch_size, shard = cfg.SOLVER.IMS_PER_BATCH // 2, own_shard()
    if cfg.SOLVER.META_SHARD == "mixed" or shard.world_size == 1:
        return contiguous_shard_rows(batch_size, shard)
    seed, period = cfg.SEED, cfg.SOLVER.META.PERIOD
    return meta_shard_rows(
        domain,
        num_domains=num_domains,
        batch_size=batch_size,
        shard=shard,
        held_out=lambda number: held_out_domain(seed, number * period, num_domains),
    )
