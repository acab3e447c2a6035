"""The configuration of a job, for this package."""

from __future__ import annotations

from pathlib import Path

from fastreid.config import CfgNode, load_config


def config_of(job: dict) -> CfgNode:
    """Return the configuration with the weights that `prepare.py` writes."""
    path = Path(job["config_file"])
    weights = Path(job["folder"]) / "model.ckpt"
    cfg = load_config(
        path if path.exists() else Path(job["root"]) / path,
        [
            *("MODEL.BACKBONE.PRETRAIN", "False", "MODEL.WEIGHTS", str(weights)),
            *("MODEL.HEADS.NUM_CLASSES", "751", "MODEL.DEVICE", "cpu"),
            # The other contenders must not count as other programs that use the cores.
            *("DISPATCH_THREADS", "1"),
            *job["opts"],
        ],
    )
    cfg.freeze()
    return cfg
