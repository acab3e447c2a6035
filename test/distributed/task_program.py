"""MoCo's memory and a classifier's accuracy in two processes, started by `launch`.

`python -m test.distributed.task_program FOLDER`; results go into files.
"""

import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
from mindspore import Tensor, value_and_grad

from fastreid.config import get_cfg
from fastreid.data.pipeline.shards import Shard
from fastreid.engine import default_setup, launch
from fastreid.engine.build import build_trainer
from fastreid.evaluation import ClasEvaluator
from fastreid.modeling.meta_arch.moco import Memory
from fastreid.utils import comm
from fastreid.utils.parameters import broadcast_parameters
from test.distributed import case

DIM, SIZE, ROWS, STEPS = 5, 20, 4, 4


def rows_of(rank, step):
    """A rank's features (ROWS, DIM) and targets (ROWS,)."""
    rng = np.random.RandomState(10 * step + rank)
    return rng.randn(ROWS, DIM).astype(np.float32), rng.randint(0, 3, ROWS).astype(np.int32)


def remember(rank):
    """Losses and gradients of this rank's rows, and the memory at the end."""
    memory = Memory(DIM, SIZE)
    broadcast_parameters(list(memory.get_parameters()))
    differentiate = value_and_grad(memory)
    results = [differentiate(*map(Tensor, rows_of(rank, step))) for step in range(STEPS)]
    losses, gradients = ([each[place].asnumpy() for each in results] for place in (0, 1))
    return {"losses": np.array(losses), "gradients": np.array(gradients), **case.values(memory)}


def moco_trainer(part_of):
    """A trainer of a MoCo whose norms are over all processes."""
    cfg = case.sync_cfg()
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.QUEUE_SIZE = "MoCo", 2 * case.ROWS
    cfg.freeze()
    return build_trainer(cfg, case.new_model(cfg), case.sync_batches(part_of))


def train(part_of):
    """What a few iterations make of a MoCo."""
    trainer = moco_trainer(part_of)
    broadcast_parameters(list(trainer.model.get_parameters()))
    trainer.train(0, 2, 2)
    return case.values(trainer.model)


class NineClasses(ClasEvaluator):
    """Takes the first nine features for the logits of the nine people."""

    def process(self, inputs, outputs):
        super().process(inputs, outputs[:, :9])


def evaluate(folder, place):
    """The accuracy of a classifier that is right by chance."""
    return case.evaluate(case.read_items(folder), place, lambda cfg, _: NineClasses(cfg))


def main(folder):
    cfg = get_cfg()
    cfg.OUTPUT_DIR, cfg.MODEL.DEVICE = str(folder), "cpu"
    cfg.freeze()
    default_setup(cfg, Namespace())
    rank = comm.get_rank()
    np.savez(folder / f"memory_{rank}.npz", **remember(rank))
    np.savez(folder / f"moco_{rank}.npz", **train(lambda number: case.basic_batch(number, rank)))
    scores = evaluate(folder, Shard(rank, comm.get_world_size()))
    (folder / f"scores_{rank}.json").write_text(json.dumps(scores), encoding="utf-8")


if __name__ == "__main__":
    launch(main, case.WORLD_SIZE, args=(Path(sys.argv[1]),))
