"""Samplers of batches of P identities with K images each, for losses that compare images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .data_sampler import check_not_empty
from .identity_batches import group_by_identity, identities_per_batch, interleave_ranks
from .state import PassStream


class NaiveIdentitySampler:
    """Endless stream of batches: P random identities, K unused images of each.

    Within a pass, an identity can be drawn until fewer than K of its images are unused; if it has
    fewer than K images in all, some are repeated. With the same seed, the indices are those of
    fast-reid's ``NaiveIdentitySampler``.

    Args:
        data_source: items (path, pid, camid).
        mini_batch_size: images per batch and process.
        num_instances: K, the images per identity.
        seed: seed of the draws; the same on every rank.
        rank: rank of this process.
        world_size: number of processes.

    Raises:
        ValueError: there are no items, K does not divide the batch, or there are too few
            identities.

    Examples:
        >>> from itertools import islice
        >>> from fastreid.data.samplers import NaiveIdentitySampler
        >>> items = [(f"{pid}_{camid}.jpg", pid, camid) for pid in range(4) for camid in range(3)]
        >>> sampler = NaiveIdentitySampler(items, mini_batch_size=6, num_instances=2, seed=0)
        >>> [items[index][1] for index in islice(sampler, 6)]  # three identities, two images each
        [2, 2, 3, 3, 1, 1]
    """

    def __init__(
        self,
        data_source: Sequence[tuple],
        mini_batch_size: int,
        *,
        num_instances: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_not_empty(len(data_source))
        self._images_of = group_by_identity(data_source)
        self._num_identities_drawn = identities_per_batch(
            mini_batch_size, num_instances, len(self._images_of) // world_size
        )
        self._num_instances = num_instances
        self._batch_size = mini_batch_size * world_size
        self._world_size = world_size
        self.draw = PassStream(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

    def __iter__(self) -> Iterator[int]:
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
        batch: list[int] = []
        for part in self._parts_of_batches(rng):
            batch += part
            if len(batch) == self._batch_size:
                yield from interleave_ranks(batch, self._world_size)
                batch = []

    def _parts_of_batches(self, rng: np.random.RandomState) -> Iterator[list[int]]:
        available = list(range(len(self._images_of)))
        unused: dict[int, list[int]] = {}
        while len(available) >= self._num_identities_drawn:
            places = rng.choice(len(available), self._num_identities_drawn, replace=False).tolist()
            drawn: list[int] = []
            used_up = []
            for place in places:
                identity = available[place]
                if identity not in unused:
                    unused[identity] = self._shuffled_images(identity, rng)
                images = unused[identity]
                drawn += images[: self._num_instances]
                del images[: self._num_instances]
                if len(images) < self._num_instances:
                    used_up.append(place)
            for place in sorted(used_up, reverse=True):
                del available[place]
            yield drawn

    def _shuffled_images(self, identity: int, rng: np.random.RandomState) -> list[int]:
        images = list(self._images_of[identity])
        if len(images) < self._num_instances:
            images = rng.choice(images, self._num_instances, replace=True).tolist()
        rng.shuffle(images)
        return images


class BalancedIdentitySampler:
    """Endless stream of batches in which every identity appears once per pass, across cameras.

    Of an identity, one random image and K - 1 images from other cameras are drawn; if it has only
    one camera, all are from that camera. With the same seed, the indices are those of fast-reid's
    ``BalancedIdentitySampler``, including this: the other images are drawn with replacement if
    there are fewer than K of them, so exactly K - 1 are drawn with replacement although they would
    suffice without.

    Args:
        data_source: items (path, pid, camid).
        mini_batch_size: images per batch and process.
        num_instances: K, the images per identity.
        seed: seed of the draws; the same on every rank.
        rank: rank of this process.
        world_size: number of processes.

    Raises:
        ValueError: there are no items, K does not divide the batch, or there are too few
            identities.

    Examples:
        >>> from itertools import islice
        >>> from fastreid.data.samplers import BalancedIdentitySampler
        >>> items = [(f"{pid}_{camid}.jpg", pid, camid) for pid in range(4) for camid in (0, 0, 1)]
        >>> sampler = BalancedIdentitySampler(items, mini_batch_size=4, num_instances=2, seed=0)
        >>> [items[index][1:] for index in islice(sampler, 4)]  # of each identity, both cameras
        [(2, 0), (2, 1), (3, 0), (3, 1)]
    """

    def __init__(
        self,
        data_source: Sequence[tuple],
        mini_batch_size: int,
        *,
        num_instances: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_not_empty(len(data_source))
        self._images_of = group_by_identity(data_source)
        self._camera_of = [camid for _, _, camid in data_source]
        drawn = identities_per_batch(
            mini_batch_size, num_instances, len(self._images_of) // world_size
        )
        # A pass holds whole batches only; the remaining identities are dropped.
        self._identities_per_pass = len(self._images_of) // (drawn * world_size)
        self._identities_per_pass *= drawn * world_size
        self._num_instances = num_instances
        self._batch_size = mini_batch_size * world_size
        self._world_size = world_size
        self.draw = PassStream(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

    def __iter__(self) -> Iterator[int]:
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
        batch: list[int] = []
        identities = rng.permutation(len(self._images_of))[: self._identities_per_pass]
        for identity in identities.tolist():
            batch += self._images_for(self._images_of[identity], rng)
            if len(batch) == self._batch_size:
                yield from interleave_ranks(batch, self._world_size)
                batch = []

    def _images_for(self, images: list[int], rng: np.random.RandomState) -> list[int]:
        first = images[rng.choice(len(images))]
        camera = self._camera_of[first]
        others = [image for image in images if self._camera_of[image] != camera]
        others = others or [image for image in images if image != first]
        if not others:
            return [images[0]] * self._num_instances
        with_repeats = len(others) < self._num_instances
        return [first, *rng.choice(others, self._num_instances - 1, replace=with_repeats).tolist()]
