"""A backbone of this package, in graph mode. Started by backbones.py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from benchmarks.steps.stepper import read_job, serve
from fastreid.config import CfgNode, get_cfg
from fastreid.engine import set_device_and_mode
from fastreid.modeling import build_backbone


class Gradients(nn.Cell):
    """The gradients of a scalar of a backbone's output, by its weights.

    Args:
        backbone: (N, 3, H, W) -> (N, C, h, w).
    """

    def __init__(self, backbone: nn.Cell) -> None:
        super().__init__()
        self.backbone = backbone
        self.weights = ms.ParameterTuple(backbone.trainable_params())
        self.derive = ms.value_and_grad(self.loss, None, self.weights)

    def loss(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> the mean square of the output, ()."""
        features = self.backbone(images)
        # Unlike a square, a product has no power in its gradient, which would take time.
        return (features * features).mean()

    def construct(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, 3, H, W) -> the loss (), and a gradient for each weight."""
        return self.derive(images)


def _config(job: dict) -> CfgNode:
    cfg = get_cfg()
    # The other contender must not count as another program that uses the cores.
    cfg.merge_from_list(["MODEL.DEVICE", "cpu", "DISPATCH_THREADS", "1"])
    cfg.merge_from_list(job["words"])
    cfg.merge_from_list(["INPUT.SIZE_TRAIN", str(job["size"]), "INPUT.SIZE_TEST", str(job["size"])])
    cfg.freeze()
    return cfg


def tasks_of(job: dict, cfg: CfgNode) -> dict[str, Callable[[], None]]:
    """Build the backbone of a config; return the tasks "forward" and "training"."""
    backbone = build_backbone(cfg)
    gradients = Gradients(backbone)
    rng = np.random.default_rng(0)
    images = Tensor(rng.standard_normal((job["batch"], 3, *job["size"]), np.float32))

    def forward() -> None:
        backbone.set_train(False)
        backbone(images).asnumpy()

    def training() -> None:
        gradients.set_train()
        loss, derived = gradients(images)
        loss.asnumpy()
        derived[0].asnumpy()

    return {"forward": forward, "training": training}


def main() -> None:
    """Serve forward passes and passes with gradients."""
    job = read_job()
    cfg = _config(job)
    set_device_and_mode(cfg)
    ms.set_seed(0)
    serve(tasks_of(job, cfg))


if __name__ == "__main__":
    main()
