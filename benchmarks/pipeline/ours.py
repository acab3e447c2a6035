"""This project's data pipeline, as training uses it. Started by data_pipeline.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.pipeline.contender import read_job, serve
from fastreid.config import get_cfg
from fastreid.data import CommDataset, ReidDataLoader, WorkerPool, build_transforms
from fastreid.data.samplers import TrainingSampler


def main() -> None:
    """Serve batches of this project's loader."""
    job = read_job()
    cfg = get_cfg()
    cfg.merge_from_file(job["config_file"])
    items_of = {
        name: [item for item in job["items"] if item[1].startswith(f"{name}_")]
        for name in job["domains"]
    }
    loader = ReidDataLoader(
        CommDataset.of_sets(items_of),
        TrainingSampler(len(job["items"])),
        batch_size=job["batch_size"],
        transforms=build_transforms(cfg, is_train=True, dtype=np.uint8),
        pool=WorkerPool(job["num_workers"]),
    )
    with loader:
        serve(job, iter(loader))


if __name__ == "__main__":
    main()
