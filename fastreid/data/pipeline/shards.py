"""Which rows of a batch a process computes on, where several train together.

All processes draw the same batches; each takes, and decodes, its own rows. Where a batch is made of
identities, so is each share. One process takes all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# The rows of a loader's batch with a given number that this process takes.
RowsOf = Callable[[int], slice]

META_SHARDS = ("contiguous", "mixed")
# Sets this draw apart from the others that are keyed by the same seed.
_DOMAIN_DRAW_KEY = 1


class Place(NamedTuple):
    """Which of how many processes."""

    rank: int = 0
    world_size: int = 1


def held_out_domain(seed: int, iteration: int, num_domains: int) -> int:
    """Draw the meta-test domain of an iteration.

    Args:
        seed: SEED.
        iteration: over the whole run.
        num_domains: source domains.

    Returns:
        Its number, the same for all processes.
    """
    sequence = np.random.SeedSequence([seed, _DOMAIN_DRAW_KEY, iteration])
    return int(np.random.RandomState(sequence.generate_state(4)).randint(num_domains))


def contiguous_rows(num_rows: int, place: Place) -> slice:
    """Cut rows into one part per process.

    Args:
        num_rows: a multiple of the number of processes.
        place: this process.

    Returns:
        Its part.
    """
    size = num_rows // place.world_size
    return slice(place.rank * size, (place.rank + 1) * size)


def contiguous_share(batch_size: int, place: Place) -> RowsOf:
    """Give a process the same contiguous rows of every batch.

    Args:
        batch_size: a multiple of the number of processes.
        place: this process.

    Returns:
        Rows by number of the batch.
    """
    rows = contiguous_rows(batch_size, place)
    return lambda _: rows


def meta_share(
    domain: int,
    *,
    num_domains: int,
    batch_size: int,
    place: Place,
    held_out: Callable[[int], int],
) -> RowsOf:
    """Give a process its rows of one domain's batches, as the original scatters a meta step.

    The meta-train batch is the seen domains' batches in their order; each process takes a
    contiguous part of that, which may hold no row of a domain. The meta-test batch is cut likewise.

    Args:
        domain: whose batches.
        num_domains: source domains.
        batch_size: rows of a domain's batch.
        place: this process.
        held_out: from the number of a meta step to its meta-test domain.

    Returns:
        Rows by number of the meta step, which is the number of the batch.
    """
    of_seen = contiguous_rows((num_domains - 1) * batch_size, place)

    def rows(number: int) -> slice:
        tested = held_out(number)
        if domain == tested:
            return contiguous_rows(batch_size, place)
        first = (domain - (domain > tested)) * batch_size
        begin = min(max(of_seen.start - first, 0), batch_size)
        return slice(begin, min(max(of_seen.stop - first, begin), batch_size))

    return rows


def check_shares(
    batch_size: int, num_instances: int, world_size: int, *, has_meta_steps: bool
) -> None:
    """Refuse a batch that cannot be cut into one share of whole identities per process.

    Args:
        batch_size: SOLVER.IMS_PER_BATCH, over all processes.
        num_instances: images per identity; 1 where batches are not made of identities.
        world_size: number of processes.
        has_meta_steps: each domain's batch, of half the size, is cut too.

    Raises:
        ValueError: it names the sizes that can be cut.
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
