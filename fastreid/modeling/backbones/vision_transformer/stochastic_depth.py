"""Stochastic depth (Huang et al., ECCV 2016), with random numbers that a resumed run repeats."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from fastreid.utils.comm import get_rank, get_world_size

# x -> x^5 permutes the numbers below this prime, because 5 does not divide PRIME - 1.
PRIME = 2**31 - 1
# A pass, an image and a branch give one number, which so many rounds x -> (x + key)^5 mix.
_ROUNDS = 4


class _Counter(nn.Cell):
    """Counts its calls, from a value that can be set."""

    def __init__(self) -> None:
        super().__init__()
        zero = Tensor(0, ms.int64)
        self.count = Parameter(zero, name="stochastic_depth_passes", requires_grad=False)

    def construct(self) -> Tensor:
        """Return the number of earlier calls, an int64 scalar."""
        before = self.count + 0
        return ops.depend(before, ops.assign_add(self.count, ops.depend(self.one(), before)))

    def one(self) -> Tensor:
        """Return an int64 scalar of 1."""
        return ops.ones((), ms.int64)


class StochasticDepth(nn.Cell):
    """Factors of the branches of residual blocks: 0 for a dropped one, else 1 / (1 - rate).

    Every branch is dropped for each image by itself. Whether it is depends only on the seed, the
    number of training passes before, the place of the image in the batch of all processes, and the
    branch (the cipher MiMC of these numbers; Albrecht et al., ASIACRYPT 2016). So a run that is
    resumed draws what the uninterrupted one does, and the number of processes does not matter.

    Args:
        rates: probability of dropping, for each branch, in [0, 1).
        seed: in [0, 2**32).
    """

    def __init__(self, rates: Sequence[float], *, seed: int) -> None:
        super().__init__()
        self.branches = len(rates)
        self.rank, self.world_size = get_rank(), get_world_size()
        self.keys = np.random.RandomState(seed).randint(1, PRIME, _ROUNDS).tolist()
        limits = [round(rate * PRIME) for rate in rates]
        self.limits = Tensor(limits, ms.int64).reshape(-1, 1)
        self.factors = Tensor([1 / (1 - rate) for rate in rates], ms.float32).reshape(-1, 1)
        # In a tuple: the count is no parameter of the model, and no tensor of its weights files.
        self._passes = (_Counter(),)

    def continue_after(self, passes: int) -> None:
        """Set the number of training passes that were made before.

        Args:
            passes: 0 or more.
        """
        ops.assign(self._passes[0].count, Tensor(passes, ms.int64))

    def construct(self, rows: int) -> Tensor:
        """Draw the factors of one training pass: number N of images -> (branches, N) float32."""
        shape = (self.branches, rows)
        image = ops.arange(0, rows, 1, dtype=ms.int64).reshape(1, rows) + self.rank * rows
        branch = ops.arange(0, self.branches, 1, dtype=ms.int64).reshape(-1, 1)
        image, branch = ops.broadcast_to(image, shape), ops.broadcast_to(branch, shape)
        row = self._passes[0]() * (self.world_size * rows) + image
        number = (row * self.branches + branch) % PRIME
        for key in self.keys:
            number = (number + key) % PRIME
            square = number * number % PRIME
            number = square * square % PRIME * number % PRIME
        is_kept = number >= ops.broadcast_to(self.limits, shape)
        factors = is_kept.astype(ms.float32) * ops.broadcast_to(self.factors, shape)
        return ops.stop_gradient(factors)
