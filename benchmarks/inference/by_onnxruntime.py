"""Features of `fastreid.deploy.Embedder`. Started by export.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.steps.stepper import read_job, serve
from fastreid.deploy import Embedder


def main() -> None:
    """Serve the features of the batch."""
    job = read_job()
    folder = Path(job["folder"])
    embed = Embedder(folder / "model.onnx", batch_size=job["batch"], threads=job["threads"])
    images = np.load(folder / "images.npy")
    serve({"features": lambda: np.save(folder / "by_onnxruntime.npy", embed(images))})


if __name__ == "__main__":
    main()
