"""The data pipeline of a checkout of ACL-DGReID, unchanged. Started by data_pipeline.py.

It needs torchvision; stand_ins.py makes the checkout importable.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from benchmarks.pipeline.contender import endless_batches, read_job, serve
from benchmarks.stand_ins import prepare


def main() -> None:
    """Serve batches of the original's loader; it augments every image twice."""
    job = read_job()
    # As in DataLoader's workers. Idle threads that spin would be counted as processor time.
    torch.set_num_threads(1)
    _library = prepare(job["original"])  # Must stay alive while the original is used.
    from fastreid.config import get_cfg
    from fastreid.data.build import fast_batch_collator
    from fastreid.data.common import CommDataset
    from fastreid.data.data_utils import DataLoaderX
    from fastreid.data.transforms import build_transforms

    cfg = get_cfg()
    cfg.merge_from_file(f"{job['original']}/configs/bagtricks_DR50_mix.yml")
    items = [tuple(item) for item in job["items"]]
    domains = {name: number for number, name in enumerate(job["domains"])}
    loader = DataLoaderX(
        0,
        dataset=CommDataset(items, build_transforms(cfg), relabel=True, mapping=domains),
        num_workers=job["num_workers"],
        batch_sampler=endless_batches(len(items), job["batch_size"]),
        collate_fn=fast_batch_collator,
        pin_memory=False,
    )
    serve(job, iter(loader))
    # The loader's reading thread never ends and would crash while the interpreter shuts down.
    os._exit(0)


if __name__ == "__main__":
    main()
