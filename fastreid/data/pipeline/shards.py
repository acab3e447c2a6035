"""Shards of a batch: the rows that each process computes on when several processes train together.

All processes draw the same batches, and each process decodes only the rows of its own shard. If a
batch is made of whole identities, so is each shard. A single process takes all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Gives the rows of a shard in the batch with a given number.
ShardRows = Callable[[int], slice]

META_SHARDS = ("contiguous", "mixed")
# Makes this draw differ from other draws with the same seed.
_DOMAIN_DRAW_KEY = 1


class Shard(NamedTuple):
    """One of the equal parts into which processes divide their work.

    Attributes:
        rank: number of the part, the rank of its process.
        world_size: number of parts, one for each process.
    """

    rank: int = 0
    world_size: int = 1


def held_out_domain(seed: int, iteration: int, num_domains: int) -> int:
    """Draw the meta-test domain of an iteration.

    Args:
        seed: SEED.
        iteration: number of the iteration, counted over the whole run.
        num_domains: number of source domains.

    Returns:
        Number of the domain, the same on all processes.

    Examples:
        >>> from fastreid.data import held_out_domain
        >>> [held_out_domain(0, iteration, num_domains=3) for iteration in range(8)]
        [1, 2, 0, 0, 2, 0, 2, 2]
    """
    sequence = np.random.SeedSequence([seed, _DOMAIN_DRAW_KEY, iteration])
    return int(np.random.RandomState(sequence.generate_state(4)).randint(num_domains))


def contiguous_rows(num_rows: int, shard: Shard) -> slice:
    """Divide rows into contiguous shards.

    Args:
        num_rows: number of rows, a multiple of the number of processes.
        shard: shard of this process.

    Returns:
        Rows of the shard.

    Examples:
        >>> from fastreid.data.pipeline.shards import Shard, contiguous_rows
        >>> [contiguous_rows(8, Shard(rank, world_size=2)) for rank in range(2)]
        [slice(0, 4, None), slice(4, 8, None)]
    """
    size = num_rows // shard.world_size
    return slice(shard.rank * size, (shard.rank + 1) * size)


def contiguous_shard_rows(batch_size: int, shard: Shard) -> ShardRows:
    """Select the same contiguous rows of every batch.

    Args:
        batch_size: rows in a batch, a multiple of the number of processes.
        shard: shard of this process.

    Returns:
        Function from the number of a batch to the rows of the shard.
    """
    rows = contiguous_rows(batch_size, shard)
    return lambda _: rows


def meta_shard_rows(
    domain: int,
    *,
    num_domains: int,
    batch_size: int,
    shard: Shard,
    held_out: Callable[[int], int],
) -> ShardRows:
    """Select the rows of one domain's batches that fall into a shard of the meta steps.

    As in the original, the meta-train batch is the concatenation of the seen domains' batches, and
    each process takes a contiguous part of it. That part may hold no row of a domain. The meta-test
    batch is divided in the same way.

    Args:
        domain: number of the domain.
        num_domains: number of source domains.
        batch_size: rows in a domain's batch.
        shard: shard of this process.
        held_out: function from the number of a meta step to its meta-test domain.

    Returns:
        Function from the number of a meta step, which is the number of the domain's batch, to the
        rows of the shard.
    """
    seen_rows = contiguous_rows((num_domains - 1) * batch_size, shard)

    def rows(number: int) -> slice:
        tested = held_out(number)
        if domain == tested:
            return contiguous_rows(batch_size, shard)
        first = (domain - (domain > tested)) * batch_size
        begin = min(max(seen_rows.start - first, 0), batch_size)
        return slice(begin, min(max(seen_rows.stop - first, begin), batch_size))

    return rows


def check_shard_sizes(
    batch_size: int, num_instances: int, world_size: int, *, has_meta_steps: bool
) -> None:
    """Check that a batch can be divided into equal shards of whole identities.

    Args:
        batch_size: SOLVER.IMS_PER_BATCH, the size over all processes.
        num_instances: images per identity; 1 if batches are not made of identities.
        world_size: number of processes.
        has_meta_steps: whether each domain's batch, of half the size, is divided too.

    Raises:
        ValueError: the batch cannot be divided; the message names sizes that can.
    """
    unit = world_size * num_instances * (2 if has_meta_steps else 1)
    if world_size == 1 or batch_size % unit == 0:
        return
    below = batch_size // unit * unit
    sizes = f"{unit}" if below == 0 else f"{below} and {below + unit}"
    parts = [f"{world_size} processes"]
    if num_instances > 1:
        parts.append(f"DATALOADER.NUM_INSTANCE {num_instances}")
    if has_meta_steps:
        parts.append("2, because meta steps take half as many images of each domain")
    raise ValueError(
        f"SOLVER.IMS_PER_BATCH ({batch_size}) is the batch of all processes and must be a multiple "
        f"of {unit} ({' times '.join(parts)}); the nearest: {sizes}."
    )
