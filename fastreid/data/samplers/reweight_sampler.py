"""Sampler of batches with a fixed proportion of identities from each camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .data_sampler import check_not_empty
from .identity_batches import interleave_ranks
from .state import PassStream


class SetReWeightSampler:
    """Endless stream of batches with a fixed proportion of identities from each camera.

    In each round, ``set_weight[i]`` identities of camera i are drawn, in the order of the sorted
    camera names, with K images each. The probability of an identity is proportional to the number
    of its images. Rounds fill the batch, which is then shuffled. fast-reid's ``SetReWeightSampler``
    is meant to do the same; but it looks up cameras by number, lists an identity once per image,
    and yields nothing.

    Args:
        data_source: items (path, pid, camid).
        mini_batch_size: images per batch and process.
        num_instances: K, the images per identity.
        set_weight: identities per camera and round, one integer for every camera.
        seed: seed of the draws; the same on every rank.
        rank: rank of this process.
        world_size: number of processes.

    Raises:
        ValueError: there are no items, the weights do not match the cameras or the batch, or a
            camera has fewer identities than its weight.

    Examples:
        >>> from collections import Counter
        >>> from itertools import islice
        >>> from fastreid.data.samplers import SetReWeightSampler
        >>> items = [(f"{pid}.jpg", pid, pid % 2) for pid in range(8)]  # even pids in camera 0
        >>> sampler = SetReWeightSampler(items, 8, num_instances=2, set_weight=[3, 1])
        >>> sorted(Counter(items[index][2] for index in islice(sampler, 8)).items())
        [(0, 6), (1, 2)]
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
        self._world_size = world_size
        self.draw = PassStream(self._one_pass, seed=seed, rank=rank, world_size=world_size).draw

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
        return self.draw()

    def _one_pass(self, rng: np.random.RandomState) -> Iterator[int]:
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
