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
from fastreid.data.shares import Place
from fastreid.engine import default_setup, launch
from fastreid.engine.train_step import GradientStep
from fastreid.utils import comm
from fastreid.utils.parameters import broadcast_parameters

from ..engine.toy import tensors
from . import case


def talk(rank):
    """Say and hear a little."""
    with_rank = np.full((2, 3), rank, np.float32)
    try:
        comm.require_same(rank, "ranks differ")
        refusal = ""
    except ValueError as error:
        refusal = str(error)
    model = case.new_model()
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


def one_gradient(rank):
    model = case.new_model()
    step = GradientStep(case.forwards(model)[0], model.trainable_params())
    step.set_train(True)
    losses, _, gradients, _ = step(*tensors(case.basic_batch(0, rank)))
    named = zip(model.trainable_params(), gradients)
    return {"losses": losses.asnumpy(), **{p.name: g.asnumpy() for p, g in named}}


def training(rank):
    model = case.new_model()
    trainer = case.trainer(model, rank)
    losses = case.Losses()
    trainer.register_hooks([losses])
    trainer.train(0, case.ITERATIONS, case.ITERATIONS)
    return case.values(model), losses.totals


def not_finite(rank, kind):
    """Train with one pixel of rank 1 broken: what is said, and the parameters then."""
    model = case.new_model()
    trainer = case.trainer(model, rank)
    basic, held_out = trainer.data_loader, trainer.domain_loaders[case.held_out(1)]
    if rank == 1:
        (basic if kind == "basic" else held_out)[1]["images"][0, 0, 0, 0] = np.nan
    try:
        trainer.train(0, case.ITERATIONS, case.ITERATIONS)
    except FloatingPointError as error:
        learned = {parameter.name: parameter.asnumpy() for parameter in model.trainable_params()}
        return str(error), {name: value.tolist() for name, value in learned.items()}
    return "", {}


def main(folder, *, with_details=False):
    cfg = get_cfg()
    cfg.OUTPUT_DIR = str(folder)
    cfg.MODEL.DEVICE = "cpu"
    cfg.freeze()
    default_setup(cfg, Namespace())
    rank = comm.get_rank()
    results = talk(rank)
    if with_details:
        np.savez(folder / f"gradient_{rank}.npz", **one_gradient(rank))
        for kind in ("basic", "meta"):
            results[f"not finite: {kind}"] = not_finite(rank, kind)
    weights, results["losses"] = training(rank)
    np.savez(folder / f"weights_{rank}.npz", **weights)
    place = Place(rank, comm.get_world_size())
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
