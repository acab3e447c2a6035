"""Features of the model of a checkout of fast-reid, unchanged. Started by export.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from benchmarks.stand_ins import prepare
from benchmarks.steps.stepper import read_job, serve


def main() -> None:
    """Serve the features of the batch."""
    job = read_job()
    folder = Path(job["folder"])
    _library = prepare(job["fastreid"])  # Must stay alive while fast-reid is used.
    from fastreid.config import get_cfg
    from fastreid.modeling.meta_arch import build_model

    torch.set_num_threads(job["threads"])
    cfg = get_cfg()
    cfg.merge_from_file(str(Path(job["fastreid"]) / job["config_file"]))
    opts = ("MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "751")
    cfg.merge_from_list([*opts, "MODEL.DEVICE", "cpu", *job["opts"]])
    model = build_model(cfg).eval()
    with np.load(folder / "weights.npz") as weights:
        state = {name: torch.from_numpy(weights[name]) for name in weights.files}
    left_out, unknown = model.load_state_dict(state, strict=False)
    left_out = [name for name in left_out if not name.endswith("num_batches_tracked")]
    if left_out or unknown:
        raise SystemExit(f"The weights do not fit: missing {left_out}, unknown {unknown}.")
    images = torch.from_numpy(np.load(folder / "images.npy"))

    def features() -> None:
        with torch.no_grad():
            # The model normalizes its images in place.
            found = model({"images": images.clone()})
        np.save(folder / "by_pytorch.npy", found.numpy())

    serve({"features": features})


if __name__ == "__main__":
    main()
