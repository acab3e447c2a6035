"""A job that goes on until something ends it: `python -m test.distributed.looping FOLDER KIND`."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from fastreid.config import get_cfg
from fastreid.data import WorkerPool
from fastreid.data.pipeline.shards import Shard, contiguous_shard_rows
from fastreid.engine import default_setup, launch
from fastreid.utils import comm
from test.data import pipeline_case
from test.distributed import case


def steps(folder):
    """Batches from a data worker, and a message to the other rank after each."""
    items = pipeline_case.write_items(folder / f"images_{comm.get_rank()}")
    shard_rows = contiguous_shard_rows(8, Shard(comm.get_rank(), comm.get_world_size()))
    with pipeline_case.train_loader(items, WorkerPool(1), shard_rows=shard_rows) as loader:
        for batch in loader:
            comm.synchronize()
            yield len(batch["targets"])


def evaluations(folder):
    """One evaluation after another."""
    items = pipeline_case.write_items(folder / f"images_{comm.get_rank()}")
    numbered = [(path, n // 3, n % 3) for n, (path, _, _) in enumerate(items)]
    in_order = sorted(numbered, key=lambda item: item[2])
    while True:
        case.evaluate(in_order, Shard(comm.get_rank(), comm.get_world_size()))
        yield len(in_order)


def main(folder, kind):
    cfg = get_cfg()
    cfg.OUTPUT_DIR = str(folder)
    cfg.MODEL.DEVICE = "cpu"
    cfg.freeze()
    default_setup(cfg, Namespace())
    (folder / f"images_{comm.get_rank()}").mkdir()
    work = evaluations(folder) if kind == "evaluate" else steps(folder)
    for number, _ in enumerate(work):
        if number == 3:
            (folder / f"pid_{comm.get_rank()}").write_text(str(os.getpid()))
        if number == 6 and kind == "raise" and comm.get_rank() == 1:
            raise KeyError("rank 1 has lost its way")


if __name__ == "__main__":
    launch(main, 2, args=(Path(sys.argv[1]), sys.argv[2]))
