"""The data pipeline of a checkout of ACL-DGReID, unchanged. Started by data_pipeline.py.

It needs torchvision. The checkout is of 2022 and runs on a GPU; what it asks for and today's torch
on a CPU has not is put in its place here: nothing of it takes part in making batches.
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import importlib.util
import os
import sys
import types
from pathlib import Path

import torch
from contender import endless_batches, read_job, serve


class _NoStream:
    def __init__(self, *_: object) -> None: ...

    def wait_stream(self, *_: object) -> None: ...


def _stand_in_for_2022() -> None:
    six = types.ModuleType("torch._six")
    six.string_classes = (str, bytes)
    sys.modules["torch._six"] = six
    collections.Mapping = collections.abc.Mapping
    torch.cuda.Stream = _NoStream
    torch.cuda.stream = lambda _: contextlib.nullcontext()
    torch.cuda.current_stream = _NoStream
    torch.cuda.set_device = lambda _: None
    # The loader sends batches "to device 0", its rank: here that is where they are.
    torch.Tensor.to = lambda tensor, *_, **__: tensor


def _stand_in_for_nms() -> torch.library.Library | None:
    """Declare what torchvision registers; without its compiled part it cannot be imported."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        raise SystemExit("The original needs torchvision: pip install --no-deps torchvision.")
    compiled = next(Path(spec.origin).parent.glob("_C*"), None)
    with contextlib.suppress(OSError):
        if compiled is not None:
            torch.ops.load_library(compiled)
            return None
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def main() -> None:
    """Serve batches of the original's loader; it augments every image twice."""
    job = read_job()
    # As in DataLoader's own workers; idle threads that spin would count as time spent.
    torch.set_num_threads(1)
    _stand_in_for_2022()
    _library = _stand_in_for_nms()  # It lasts as long as this object.
    sys.path.insert(1, job["original"])
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
    # Its reading thread knows no end, and would crash in the ruins of the interpreter.
    os._exit(0)


if __name__ == "__main__":
    main()
