"""What each of two processes does, started by `launch`; its results go into a file.

`python -m test.distributed.program FOLDER [MACHINE URL]`: on one machine, or as one of two.
"""

import json
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

import numpy as np
from mindspore import Tensor, ops

from fastreid.config import get_cfg
from fastreid.data.pipeline.shards import Shard
from fastreid.engine import default_setup, launch
from fastreid.engine.steps.train_step import LossForward, TrainStep
from fastreid.engine.weight_average import WeightAverage
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from fastreid.utils import comm
from fastreid.utils.parameters import broadcast_parameters
from fastreid.utils.precision_bn import update_bn_stats
from test.distributed import case
from test.engine.toy import (
    PowerLosses,
    ToyMetaModel,
    ToyModel,
    ToyNormModel,
    batch_of,
    randomize,
    tensors,
)

WORLD_PARTS = case.WORLD_SIZE * case.PARTS


def talk(rank):
    """Exchange some messages."""
    with_rank = np.full((2, 3), rank, np.float32)
    try:
        comm.require_same(rank, "ranks differ")
        refusal = ""
    except ValueError as error:
        refusal = str(error)
    model = randomize(ToyMetaModel())
    for parameter in model.get_parameters():
        ops.assign(parameter, Tensor(np.full(parameter.shape, rank, np.float32)))
    broadcast_parameters(list(model.get_parameters()))
    return {
        "numbers": [rank, comm.get_rank(), comm.get_local_rank(), comm.get_world_size()],
        "gathered": comm.all_gather(with_rank).tolist(),
        "broadcast": comm.broadcast(with_rank + 5).tolist(),
        "object": comm.broadcast_object({"b": 1 / 3, "a": f"of {rank} é"}),
        "refusal": refusal,
        "parameters": sorted({float(x) for v in case.values(model).values() for x in v.ravel()}),
    }


def toy_weights(rank):
    """What a few parameters are after a few steps, in hexadecimal digits."""
    model = randomize(ToyMetaModel())
    optimizer = SGD([ParamGroup(tuple(model.trainable_params()), 0.05, 1e-3)], momentum=0.9)
    step = TrainStep(LossForward(model, PowerLosses()), [optimizer], GradientClipper("norm", 0.5))
    for number in range(3):
        step.set_train(True)
        step(*tensors(batch_of(2 * number + rank)))
    return {name: value.tobytes().hex() for name, value in case.values(model).items()}


def train_in_parts(rank):
    """Weights, and the averages of weights, after steps that accumulate gradients."""
    model = randomize(ToyModel())
    average = WeightAverage(model, momentum=0.5)
    average.start()
    step = case.step_in_parts(model, case.PARTS)
    for number in range(3):
        images, targets, domains = tensors(batch_of(number, rows=case.PART_ROWS * WORLD_PARTS))
        rows = slice(rank * len(targets) // 2, (rank + 1) * len(targets) // 2)
        step(images[rows], targets[rows], domains[rows])
        average.update()
    weights = case.values(model)
    with average.applied():
        averages = case.values(model)
    return [{name: v.tolist() for name, v in each.items()} for each in (weights, averages)]


def precise_statistics(rank):
    """Running statistics from batches of all processes."""
    model = randomize(ToyNormModel())
    update_bn_stats(model, [batch_of(2 * number + rank) for number in range(2)], 2)
    return {name: v.tolist() for name, v in case.values(model).items()}


def train_acl(rank, folder):
    """Gradients, the weights after some iterations, and what a broken pixel does then."""
    trainer = case.acl_trainer(rank)
    losses = case.Losses()
    trainer.register_hooks([losses])
    seen, held_out = case.meta_parts(trainer, 0)
    results = trainer.meta_gradients(seen, held_out)
    parameters = trainer.meta_optimizer.parameters
    for phase, result in results._asdict().items():
        named = {p.name: g.asnumpy() for p, g in zip(parameters, result.gradients)}
        np.savez(folder / f"{phase}_{rank}.npz", **named)
    trainer.train(0, case.ITERATIONS, case.ITERATIONS)
    np.savez(folder / f"weights_{rank}.npz", **case.values(trainer.model))
    totals = list(losses.totals)
    return totals, {kind: not_finite(trainer, rank, kind) for kind in ("basic", "meta")}


def not_finite(trainer, rank, kind):
    """Continue training with a broken pixel on rank 1; return the message and the parameters."""
    begin = case.ITERATIONS + (kind == "meta")
    loader = trainer.data_loader
    if kind == "meta":
        loader = trainer.domain_loaders[case.held_out(begin // case.PERIOD)]
    if rank == 1:
        loader[begin if kind == "basic" else begin // case.PERIOD]["images"][0, 0, 0, 0] = np.nan
    try:
        trainer.train(begin, begin + case.PERIOD, 100)
    except FloatingPointError as error:
        learned = {p.name: p.asnumpy() for p in trainer.model.trainable_params()}
        finite = all(np.isfinite(value).all() for value in learned.values())
        return str(error), finite, case.digest(learned)
    return "", True, ""


def train_with_sync_norms(rank, folder):
    trainer = case.sync_trainer(case.sync_batches(lambda number: case.basic_batch(number, rank)))
    losses = case.Losses()
    trainer.register_hooks([losses])
    trainer.train(0, case.SYNC_ITERATIONS, case.SYNC_ITERATIONS)
    np.savez(folder / f"sync_{rank}.npz", **case.values(trainer.model))
    return losses.totals


def main(folder, *, with_details=False):
    cfg = get_cfg()
    cfg.OUTPUT_DIR = str(folder)
    cfg.MODEL.DEVICE = "cpu"
    cfg.freeze()
    default_setup(cfg, Namespace())
    rank = comm.get_rank()
    results = talk(rank)
    if with_details:
        results["losses"], results["not finite"] = train_acl(rank, folder)
        results["in parts"] = train_in_parts(rank)
        results["precise"] = precise_statistics(rank)
        results["sync losses"] = train_with_sync_norms(rank, folder)
    results["toy weights"] = toy_weights(rank)
    place = Shard(rank, comm.get_world_size())
    results["scores"] = case.evaluate(case.read_items(folder), place)
    few = [item for item in case.read_items(folder) if item[1] < 1]
    results["scores of one batch"] = case.evaluate(few, place)
    comm.synchronize()
    (folder / f"results_{rank}.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    output, *machine = sys.argv[1:]
    if machine:
        where = {"num_machines": 2, "machine_rank": int(machine[0]), "dist_url": machine[1]}
        launch(main, 1, args=(Path(output),), **where)
    else:
        launch(partial(main, with_details=True), case.WORLD_SIZE, args=(Path(output),))
