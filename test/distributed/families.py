"""A training pass of networks whose norms are over all processes; also what each process runs.

`python -m test.distributed.families FOLDER FAMILY...`: two processes write their results to FOLDER.
"""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
from mindspore import Tensor, ops, set_seed

from fastreid.config import get_cfg
from fastreid.engine import default_setup, launch
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.modeling import build_model
from fastreid.utils import comm
from test.distributed.emulation import NONE, NoisyBatches
from test.modeling.training_pass import start_values

# Family: DEPTH and FEAT_DIM of a network with several branches, whose norms send messages.
NETWORKS = {
    "resnest": ("50x", 2048),
    "osnet": ("x0_25", 128),
    "shufflenetv2": ("0.5x", 1024),
    "repvgg": ("A0", 1280),
}
WORLD_SIZE, ROWS, CLASSES = 2, 16, 4


def config_of(family):
    """The configuration of the network of a family."""
    depth, width = NETWORKS[family]
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *("MODEL.BACKBONE.NAME", f"build_{family}_backbone", "MODEL.BACKBONE.DEPTH", depth),
            *("MODEL.BACKBONE.FEAT_DIM", width, "MODEL.BACKBONE.PRETRAIN", False),
            *("MODEL.BACKBONE.NORM", "syncBN", "MODEL.HEADS.NORM", "syncBN"),
            *("MODEL.HEADS.WITH_BNNECK", True, "MODEL.HEADS.NUM_CLASSES", CLASSES),
            *("MODEL.LOSSES.NAME", ("CrossEntropyLoss",), "MODEL.DEVICE", "cpu"),
        ]
    )
    return cfg


class Passes:
    """Trains the network of a family on a batch of images of people who differ in colour.

    Args:
        family: a key of `NETWORKS`.
    """

    def __init__(self, family):
        set_seed(0)
        self.model = build_model(config_of(family))
        forward = LossForward(self.model, self.model.criterion())
        self.step = GradientStep(forward, self.model.trainable_params()).set_train()
        self.start = start_values(self.model)

    def run(self, rows, noise=NONE):
        """Loss, gradients and statistics of some rows of the batch, by name.

        Args:
            rows: slice of the batch.
            noise: changes of the pixels.
        """
        rng = np.random.RandomState(0)
        targets = np.repeat(np.arange(CLASSES, dtype=np.int32), ROWS // CLASSES)
        # Each process has rows of all classes.
        targets = targets.reshape(CLASSES, -1).T.ravel()
        colours = rng.randint(40, 216, (CLASSES, 3, 1, 1))
        images = colours[targets] + rng.randint(-40, 40, (ROWS, 3, 64, 32))
        images = NoisyBatches(noise)({"images": images})["images"]
        batch = (images, targets, np.zeros(ROWS, np.int32))
        for parameter in self.model.get_parameters():
            ops.assign(parameter, Tensor(self.start[parameter.name]))
        losses, _, _, gradients = self.step(*(Tensor(column[rows]) for column in batch))
        parameters = self.model.trainable_params()
        found = {f"gradient of {p.name}": g.asnumpy() for p, g in zip(parameters, gradients)}
        statistics = [p for p in self.model.get_parameters() if ".moving_" in p.name]
        return {
            "losses": losses.asnumpy(),
            **found,
            **{p.name: p.asnumpy().copy() for p in statistics},
        }


def main(folder, families):
    cfg = get_cfg()
    cfg.OUTPUT_DIR = str(folder)
    cfg.MODEL.DEVICE = "cpu"
    cfg.freeze()
    default_setup(cfg, Namespace())
    rank = comm.get_rank()
    half = ROWS // WORLD_SIZE
    for family in families:
        found = Passes(family).run(slice(rank * half, (rank + 1) * half))
        np.savez(folder / f"{family}_{rank}.npz", **found)
    comm.synchronize()


if __name__ == "__main__":
    output, *chosen = sys.argv[1:]
    launch(main, WORLD_SIZE, args=(Path(output), chosen))
