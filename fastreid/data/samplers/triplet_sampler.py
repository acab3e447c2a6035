"""Batches of P identities with K images each, for losses that compare images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from .data_sampler import check_not_empty


def interleave_ranks(batch: list[int], world_size: int) -> list[int]:
    """Order a global batch so that rank r, taking every w-th index, gets its r-th contiguous part.

    So all images of an identity meet on one device; upstream: ``reorder_index``.

    Args:
        batch: indices of the whole batch.
        world_size: number of processes; divides the length of the batch.

    Returns:
        The same indices, one of each part in turn.
    """
    return np.asarray(batch).reshape(world_size, -1).T.ravel().tolist()


def group_by_identity(data_source: Sequence[tuple]) -> list[list[int]]:
    """Collect the images of each identity.

    Args:
        data_source: items (path, pid, camid).

    Returns:
        For every identity, in the order of their sorted names, the indices of its images.
    """
    images_of: dict = {}
    for index, (_, pid, _) in enumerate(data_source):
        images_of.setdefault(pid, []).append(index)
    return [images_of[pid] for pid in sorted(images_of)]


def identities_per_batch(batch_size: int, num_instances: int, num_identities: int) -> int:
    """Work out how many identities a batch holds, if such batches can be made at all.

    Args:
        batch_size: images per batch and process.
        num_instances: images per identity.
        num_identities: identities that there are.

    Returns:
        batch_size / num_instances.

    Raises:
        ValueError: it is no whole number, or there are fewer identities than that.
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


class NaiveIdentitySampler:
    """Endless stream of batches: P random identities, K unused images of each.

    Within a pass an identity returns until fewer than K of its images are left; one with fewer
    than K images in all repeats some. Index for index fast-reid's ``NaiveIdentitySampler``.

    Args:
        data_source: items (path, pid, camid).
        mini_batch_size: images per batch and process.
        num_instances: K.
        seed: of the draws; the same on every rank.
        rank, world_size: this process and how many there are.

    Raises:
        ValueError: no items, a batch that K does not divide, or too few identities.
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
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(self._stream(), self._rank, None, self._world_size)

    def _stream(self) -> Iterator[int]:
        rng = np.random.RandomState(self._seed)
        while True:
            batch: list[int] = []
            for part in self._one_pass(rng):
                batch += part
                if len(batch) == self._batch_size:
                    yield from interleave_ranks(batch, self._world_size)
                    batch = []

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[list[int]]:
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

    An identity gives one random image and K - 1 from other cameras, or from its only camera.
    Index for index fast-reid's ``BalancedIdentitySampler``, whose oddity stays: exactly K - 1
    other images are drawn with replacement.

    Args:
        data_source: items (path, pid, camid).
        mini_batch_size: images per batch and process.
        num_instances: K.
        seed: of the draws; the same on every rank.
        rank, world_size: this process and how many there are.

    Raises:
        ValueError: no items, a batch that K does not divide, or too few identities.
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
        # A pass ends with its last whole batch; the identities that remain are dropped.
        self._identities_per_pass = len(self._images_of) // (drawn * world_size)
        self._identities_per_pass *= drawn * world_size
        self._num_instances = num_instances
        self._batch_size = mini_batch_size * world_size
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(self._stream(), self._rank, None, self._world_size)

    def _stream(self) -> Iterator[int]:
        rng = np.random.RandomState(self._seed)
        while True:
            batch: list[int] = []
            identities = rng.permutation(len(self._images_of))[: self._identities_per_pass]
            for identity in identities.tolist():
                batch += self._draw(self._images_of[identity], rng)
                if len(batch) == self._batch_size:
                    yield from interleave_ranks(batch, self._world_size)
                    batch = []

    def _draw(self, images: list[int], rng: np.random.RandomState) -> list[int]:
        first = images[rng.choice(len(images))]
        camera = self._camera_of[first]
        others = [image for image in images if self._camera_of[image] != camera]
        others = others or [image for image in images if image != first]
        if not others:
            return [images[0]] * self._num_instances
        with_repeats = len(others) < self._num_instances
        return [first, *rng.choice(others, self._num_instances - 1, replace=with_repeats).tolist()]


class SetReWeightSampler:
    """Endless stream of batches with a fixed share of identities from each camera.

    Per round, camera i (in the order of the sorted camera names) gives ``set_weight[i]``
    identities, drawn by how many images they have, with K images each; rounds fill the batch,
    which is then shuffled. Follows the intent of fast-reid's ``SetReWeightSampler``, which
    looks cameras up by number, lists an identity once per image, and yields nothing.

    Args:
        data_source: items (path, pid, camid).
        mini_batch_size: images per batch and process.
        num_instances: K.
        set_weight: identities per camera and round, one whole number for every camera.
        seed: of the draws; the same on every rank.
        rank, world_size: this process and how many there are.

    Raises:
        ValueError: no items, weights that do not fit the cameras or the batch, or a camera with
            fewer identities than its weight.
    """

    def __init__(
        self,
        data_source: Sequence[tuple],
        mini_batch_size: int,
        *,
        num_instances: int,
        set_weight: Sequence[int],
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_not_empty(len(data_source))
        self._images_of: dict = {}
        identities_of: dict = {}
        for index, (_, pid, camid) in enumerate(data_source):
            self._images_of.setdefault(pid, []).append(index)
            identities_of.setdefault(camid, set()).add(pid)
        self._cameras = [sorted(identities_of[camid]) for camid in sorted(identities_of)]
        self._set_weight = list(set_weight)
        self._num_instances = num_instances
        self._batch_size = mini_batch_size * world_size
        self._check_weights(sorted(identities_of))
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def _check_weights(self, names: list) -> None:
        if len(self._set_weight) != len(names) or not sum(self._set_weight):
            raise ValueError(
                f"DATALOADER.SET_WEIGHT {self._set_weight} must have one number for each of the "
                f"{len(names)} cameras ({names}), at least one of them above 0."
            )
        per_round = sum(self._set_weight) * self._num_instances
        if self._batch_size < per_round or self._batch_size % per_round:
            raise ValueError(
                f"A batch of {self._batch_size} images (from SOLVER.IMS_PER_BATCH) must be a "
                f"multiple of {per_round}: the sum of DATALOADER.SET_WEIGHT "
                f"({sum(self._set_weight)}) times DATALOADER.NUM_INSTANCE ({self._num_instances})."
            )
        for name, pids, weight in zip(names, self._cameras, self._set_weight):
            if len(pids) < weight:
                raise ValueError(
                    f"DATALOADER.SET_WEIGHT asks for {weight} identities of camera {name}, which "
                    f"has {len(pids)}."
                )

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(self._stream(), self._rank, None, self._world_size)

    def _stream(self) -> Iterator[int]:
        rng = np.random.RandomState(self._seed)
        while True:
            batch: list[int] = []
            while len(batch) < self._batch_size:
                batch += self._one_round(rng)
            rng.shuffle(batch)
            yield from interleave_ranks(batch, self._world_size)

    def _one_round(self, rng: np.random.RandomState) -> list[int]:
        drawn: list[int] = []
        for pids, weight in zip(self._cameras, self._set_weight):
            counts = np.array([len(self._images_of[pid]) for pid in pids], dtype=float)
            places = rng.choice(len(pids), weight, replace=False, p=counts / counts.sum())
            for place in places.tolist():
                images = self._images_of[pids[place]]
                with_repeats = len(images) < self._num_instances
                drawn += rng.choice(images, self._num_instances, replace=with_repeats).tolist()
        return drawn
