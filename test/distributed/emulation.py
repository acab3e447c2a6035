"""One process that does the steps of two: a rank's rows after the other's, then the means."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from fastreid.engine.meta_trainer import concatenate
from fastreid.engine.train_loop import batch_tensors
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


def noisy(batch, noise, rng):
    """A batch with all pixels changed a little."""
    factors = 1 + noise * rng.randn(*batch["images"].shape)
    return {**batch, "images": (batch["images"] * factors).astype(np.float32)}


class TwoInOne:
    """The steps of ACL's trainer, by its own compiled parts."""

    def __init__(self):
        self.trainer = case.acl_trainer(0)
        self.model = self.trainer.model
        self.rewound = Rewound(self.trainer)
        self.statistics = running_statistics(self.model)

    def run(self, noise=0.0):
        """Train from the start.

        Args:
            noise: relative change of all pixels.

        Returns:
            Losses of the basic steps; parameters by name, as each rank has them.
        """
        self.rewound.rewind()
        self.noise, self.rng = noise, np.random.RandomState(1)
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

    def first_gradients(self, noise=0.0):
        """Those of the seen domains before anything is learned."""
        self.rewound.rewind()
        self.noise, self.rng = noise, np.random.RandomState(1)
        seen, _ = self.meta_parts(0)
        step, weights = self.trainer._differentiate, self.trainer._meta_train_weights
        _, gradients = self.means(step, seen, weights)
        names = [parameter.name for parameter in self.trainer.meta_optimizer.parameters]
        return {name: gradient.asnumpy() for name, gradient in zip(names, gradients)}

    def set_statistics(self, values):
        for parameter, value in zip(self.statistics, values):
            ops.assign(parameter, value)

    def differentiate(self, step, batch, *weights):
        step.set_train(True)
        tensors = batch_tensors(noisy(batch, self.noise, self.rng))
        losses, _, gradients, _ = step(*tensors, *weights)
        return [losses.asnumpy(), *(gradient.asnumpy() for gradient in gradients)]

    def mean(self, found):
        losses, *gradients = [np.mean(each, axis=0, dtype=np.float32) for each in zip(*found)]
        return losses, tuple(map(Tensor, gradients))

    def means(self, step, parts, *weights):
        return self.mean([self.differentiate(step, part, *weights) for part in parts])

    def basic_step(self, number, own):
        trainer, found, yes = self.trainer, [], Tensor(True)
        for rank in RANKS:
            self.set_statistics(own[rank])
            batch = case.basic_batch(number, rank)
            step, weights = trainer._differentiate, trainer._basic_weights
            found.append(self.differentiate(step, batch, weights))
            own[rank] = [p.value().copy() for p in self.statistics]
        losses, gradients = self.mean(found)
        losses = losses[: trainer._num_basic]
        trainer._basic_update(
            *(ms.mutable((gradients,)), ms.mutable((Tensor(losses),)), ms.mutable((yes,)))
        )
        return float(losses.sum())

    def meta_parts(self, number):
        """Each rank's part of the seen domains' batches and of the held-out domain's."""
        tested, seen, held_out = case.held_out(number), [], []
        for rank in RANKS:
            batches = [case.domain_batch(d, number, rank) for d in range(case.NUM_DOMAINS)]
            seen.append(concatenate([b for d, b in enumerate(batches) if d != tested]))
            held_out.append(batches[tested])
        return seen, held_out

    def meta_step(self, number):
        trainer, (seen, held_out) = self.trainer, self.meta_parts(number)
        rate, yes = trainer.meta_optimizer.learning_rates[0].value(), Tensor(True)
        seen_losses, inner = self.means(trainer._differentiate, seen, trainer._meta_train_weights)
        with restored(trainer.meta_optimizer.parameters), held_statistics(self.model):
            trainer._inner_update(ms.mutable(inner), rate, yes)
            held_losses, outer = self.means(trainer._meta_test, held_out)
        losses = (Tensor(seen_losses), Tensor(held_losses))
        trainer._outer_update(
            *(ms.mutable((inner, outer)), ms.mutable(losses), ms.mutable((yes, yes)))
        )


class WholeBatches:
    """One process that trains the plain network on whole batches."""

    def __init__(self):
        self.trainer = case.sync_trainer([])
        self.rewound = Rewound(self.trainer)

    def run(self, noise=0.0):
        """Train from the start: losses, and parameters by name."""
        self.rewound.rewind()
        rng = np.random.RandomState(1)
        batches = [noisy(batch, noise, rng) for batch in case.sync_batches(case.whole_batch)]
        self.trainer._batches = iter(batches)
        losses = case.Losses()
        self.trainer._hooks = []
        self.trainer.register_hooks([losses])
        self.trainer.train(0, case.SYNC_ITERATIONS, case.SYNC_ITERATIONS)
        return losses.totals, case.values(self.trainer.model)
