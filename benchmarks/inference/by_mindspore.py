"""Features of `DefaultPredictor`. Started by export.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import numpy as np

from benchmarks.inference.config import config_of
from benchmarks.steps.stepper import read_job, serve
from fastreid.engine import DefaultPredictor, set_device_and_mode


def main() -> None:
    """Serve the features of the batch."""
    job = read_job()
    folder = Path(job["folder"])
    cfg = config_of(job)
    images = np.load(folder / "images.npy")
    set_device_and_mode(cfg)
    predictor = DefaultPredictor(cfg)
    serve({"features": lambda: np.save(folder / "by_mindspore.npy", predictor(images))})


if __name__ == "__main__":
    main()
