"""Helper functions of the samplers that draw P identities with K images each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interleave_ranks(batch: list[int], world_size: int) -> list[int]:
    """Reorder a batch so that rank r, which takes every w-th index, gets its r-th contiguous part.

    All images of an identity are then on the same device. fast-reid calls this ``reorder_index``.

    Args:
        batch: indices of the whole batch.
        world_size: number of processes; it must divide the length of the batch.

    Returns:
        The same indices: the first of each part, then the second of each part, and so on.

    Examples:
        >>> from fastreid.data.samplers.identity_batches import interleave_ranks
        >>> batch = interleave_ranks([0, 1, 2, 10, 11, 12], world_size=2)
        >>> batch, batch[0::2], batch[1::2]
        ([0, 10, 1, 11, 2, 12], [0, 1, 2], [10, 11, 12])
    """
    return np.asarray(batch).reshape(world_size, -1).T.ravel().tolist()


def group_by_identity(data_source: Sequence[tuple]) -> list[list[int]]:
    """Group the images by identity.

    Args:
        data_source: items (path, pid, camid).

    Returns:
        Indices of the images of each identity, in the order of the sorted identities.

    Examples:
        >>> from fastreid.data.samplers.identity_batches import group_by_identity
        >>> group_by_identity([("a.jpg", 7, 0), ("b.jpg", 3, 0), ("c.jpg", 7, 1)])
        [[1], [0, 2]]
    """
    images_of: dict = {}
    for index, (_, pid, _) in enumerate(data_source):
        images_of.setdefault(pid, []).append(index)
    return [images_of[pid] for pid in sorted(images_of)]


def identities_per_batch(batch_size: int, num_instances: int, num_identities: int) -> int:
    """Compute the number of identities in a batch, and check that such batches can be drawn.

    Args:
        batch_size: images per batch and process.
        num_instances: images per identity.
        num_identities: identities in the data set.

    Returns:
        batch_size / num_instances.

    Raises:
        ValueError: the number is not an integer, or the data set has fewer identities.

    Examples:
        >>> from fastreid.data.samplers.identity_batches import identities_per_batch
        >>> identities_per_batch(64, 4, num_identities=751)
        16
    """
    if num_instances < 1:
        raise ValueError(f"DATALOADER.NUM_INSTANCE must be at least 1, not {num_instances}.")
    if batch_size < num_instances or batch_size % num_instances:
        fewer = max(batch_size // num_instances, 1) * num_instances
        raise ValueError(
            f"A batch of {batch_size} images (from SOLVER.IMS_PER_BATCH) must be a multiple of "
            f"DATALOADER.NUM_INSTANCE ({num_instances}); the nearest are {fewer} and "
            f"{fewer + num_instances}."
        )
    needed = batch_size // num_instances
    if needed > num_identities:
        raise ValueError(
            f"A batch of {batch_size} images with {num_instances} per identity needs {needed} "
            f"identities, and the data has {num_identities}: lower SOLVER.IMS_PER_BATCH until a "
            f"batch has at most {num_identities * num_instances} images, or raise "
            "DATALOADER.NUM_INSTANCE."
        )
    return needed
