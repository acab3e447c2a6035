"""One process that does the steps of two: a rank's rows after the other's, then the means."""

from typing import NamedTuple

import numpy as np
from mindspore import Tensor, ops

from fastreid.engine.meta_trainer import concatenate
from fastreid.engine.steps.results import GradientResult
from fastreid.layers import held_statistics, running_statistics
from fastreid.utils.parameters import restored
from test.distributed import case

RANKS = range(case.WORLD_SIZE)


class Rewound:
    """A trainer that can start again.

    Args:
        trainer: not yet used.
    """

    def __init__(self, trainer):
        cells = [trainer.model, *trainer.optimizers]
        if hasattr(trainer, "meta_optimizer"):
            cells.append(trainer.meta_optimizer)
        self.state = {id(p): p for cell in cells for p in cell.get_parameters()}.values()
        self.start = [parameter.value().copy() for parameter in self.state]

    def rewind(self):
        for parameter, value in zip(self.state, self.start):
            ops.assign(parameter, value)


class Noise(NamedTuple):
    """Relative changes of all pixels: their standard deviation, and a seed."""

    size: float = 0.0
    seed: int = 0


NONE = Noise()


class NoisyBatches:
    """Changes the pixels of one batch after the other.

    Args:
        noise: the changes.
    """

    def __init__(self, noise):
        self.size, self.rng = noise.size, np.random.RandomState(noise.seed)

    def __call__(self, batch):
        factors = 1 + self.size * self.rng.randn(*batch["images"].shape)
        return {**batch, "images": (batch["images"] * factors).astype(np.float32)}


class TwoInOne:
    """The steps of ACL's trainer, by its own compiled parts."""

    def __init__(self):
        self.trainer = case.acl_trainer(0)
        self.model = self.trainer.model
        self.rewound = Rewound(self.trainer)
        self.statistics = running_statistics(self.model)

    def run(self, noise=NONE):
        """Train from the start.

        Args:
            noise: changes of the pixels.

        Returns:
            Losses of the basic steps; parameters by name, as each rank has them.
        """
        self.rewound.rewind()
        self.noisy = NoisyBatches(noise)
        own = [[p.value().copy() for p in self.statistics] for _ in RANKS]
        totals = []
        for iteration in range(case.ITERATIONS):
            totals.append(self.basic_step(iteration, own))
            if iteration % case.PERIOD == 0:
                self.meta_step(iteration // case.PERIOD)
        weights = []
        for rank in RANKS:
            self.set_statistics(own[rank])
            weights.append(case.values(self.model))
        return totals, weights

    def first_gradients(self, noise=NONE):
        """Those of the seen domains before anything is learned."""
        self.rewound.rewind()
        self.noisy = NoisyBatches(noise)
        seen, _ = self.meta_parts(0)
        result = self.means(self.trainer.meta_steps.seen_gradients, seen)
        names = [parameter.name for parameter in self.trainer.meta_optimizer.parameters]
        return {name: gradient.asnumpy() for name, gradient in zip(names, result.gradients)}

    def set_statistics(self, values):
        for parameter, value in zip(self.statistics, values):
            ops.assign(parameter, value)

    def differentiate(self, gradients_of, batch):
        """Losses and gradients of one rank's batch, as arrays."""
        result = gradients_of(self.noisy(batch))
        return [each.asnumpy() for each in (result.losses, *result.gradients)]

    def mean(self, found):
        """The mean over ranks, as a finite result."""
        means = [Tensor(np.mean(each, axis=0, dtype=np.float32)) for each in zip(*found)]
        return GradientResult(means[0], Tensor(0.0), Tensor(True), tuple(means[1:]))

    def means(self, gradients_of, parts):
        return self.mean([self.differentiate(gradients_of, part) for part in parts])

    def basic_step(self, number, own):
        steps, found = self.trainer.meta_steps, []
        for rank in RANKS:
            self.set_statistics(own[rank])
            batch = case.basic_batch(number, rank)
            found.append(self.differentiate(steps.basic_gradients, batch))
            own[rank] = [p.value().copy() for p in self.statistics]
        result = self.mean(found)
        steps.basic_update(result)
        return float(result.losses.asnumpy().sum())

    def meta_parts(self, number):
        """Each rank's part of the seen domains' batches and of the held-out domain's."""
        tested, seen, held_out = case.held_out(number), [], []
        for rank in RANKS:
            batches = [case.domain_batch(d, number, rank) for d in range(case.NUM_DOMAINS)]
            seen.append(concatenate([b for d, b in enumerate(batches) if d != tested]))
            held_out.append(batches[tested])
        return seen, held_out

    def meta_step(self, number):
        steps, (seen, held_out) = self.trainer.meta_steps, self.meta_parts(number)
        inner = self.means(steps.seen_gradients, seen)
        with restored(steps.inner_parameters), held_statistics(self.model):
            steps.inner_update(inner)
            outer = self.means(steps.held_out_gradients, held_out)
        steps.outer_update(inner, outer)


class WholeBatches:
    """One process that trains the plain network on whole batches."""

    def __init__(self):
        self.trainer = case.sync_trainer([])
        self.rewound = Rewound(self.trainer)

    def run(self, noise=NONE):
        """Train from the start: losses, and parameters by name."""
        self.rewound.rewind()
        self.trainer._batches = map(NoisyBatches(noise), case.sync_batches(case.whole_batch))
        losses = case.Losses()
        self.trainer._hooks = []
        self.trainer.register_hooks([losses])
        self.trainer.train(0, case.SYNC_ITERATIONS, case.SYNC_ITERATIONS)
        return losses.totals, case.values(self.trainer.model)
