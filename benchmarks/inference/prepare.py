"""Random weights, images and the exported model that the contenders share. Run by export.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import mindspore as ms
import numpy as np

from benchmarks.inference.config import config_of
from fastreid.engine import set_device_and_mode
from fastreid.export import export_model
from fastreid.modeling import build_model
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights


def main() -> None:
    """Write model.ckpt, weights.npz (by PyTorch's names), model.onnx and images.npy."""
    job = json.load(sys.stdin)
    folder = Path(job["folder"])
    cfg = config_of(job)
    set_device_and_mode(cfg)
    ms.set_seed(0)
    model = build_model(cfg)
    Checkpointer(model, str(folder)).save("model")
    np.savez(folder / "weights.npz", **export_weights(model))
    export_model(cfg, folder / "model.onnx")
    size = (job["batch"], 3, *cfg.INPUT.SIZE_TEST)
    images = np.random.default_rng(0).integers(0, 256, size).astype(np.float32)
    np.save(folder / "images.npy", images)


if __name__ == "__main__":
    main()
