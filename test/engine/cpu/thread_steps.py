"""A basic and a meta step of a small ACL model, for a number of dispatching threads.

`python -m test.engine.cpu.thread_steps THREADS [moves]` prints a digest of all parameters after the
steps. With `moves`, kernels run on another core for each step.
"""

from __future__ import annotations

import hashlib
import itertools
import sys

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import mindspore as ms
import numpy as np

from fastreid.config import get_cfg
from fastreid.engine import build_trainer, set_device_and_mode
from fastreid.modeling import build_model
from fastreid.utils.events import EventStorage
from fastreid.utils.machine import keep_kernels_on, kernel_cores, visible_cores
from test.small_backbones import ONE_ADAPTIVE_STAGE

DOMAINS, CLASSES = 2, 4


def _config(threads):
    cfg = get_cfg()
    cfg.merge_from_file("configs/demo.yml")
    cfg.merge_from_list(
        [
            *ONE_ADAPTIVE_STAGE,
            *("MODEL.DEVICE", "cpu", "DISPATCH_THREADS", threads),
            *("MODEL.BACKBONE.PRETRAIN", "False"),
            *("MODEL.HEADS.CLASSES_PER_DOMAIN", str([CLASSES] * DOMAINS)),
            *("INPUT.SIZE_TRAIN", "(64, 32)", "SOLVER.IMS_PER_BATCH", "16"),
            *("DATALOADER.NUM_INSTANCE", "2"),
        ]
    )
    cfg.freeze()
    return cfg


def _batch(seed, domains):
    """Two images of each class of the domains."""
    classes = [domain * CLASSES + one for domain in domains for one in range(CLASSES)]
    targets = np.repeat(np.array(classes, np.int32), 2)
    images = np.random.default_rng(seed).uniform(0, 255, (len(targets), 3, 64, 32))
    return {
        "images": images.astype(np.float32),
        "targets": targets,
        "domainids": targets // CLASSES,
        "img_paths": np.array([f"{seed} {row}" for row in range(len(targets))]),
    }


def _digest(model):
    found = hashlib.sha256()
    for parameter in model.get_parameters():
        found.update(parameter.asnumpy().tobytes())
    return found.hexdigest()


def main():
    cfg = _config(sys.argv[1])
    set_device_and_mode(cfg)
    ms.set_seed(0)
    domains = range(DOMAINS)
    trainer = build_trainer(
        cfg,
        build_model(cfg),
        [_batch(seed, domains) for seed in range(4)],
        domain_loaders=[[_batch(10 + one, [one])] * 4 for one in domains],
    )
    trainer.iter = 1
    found = [_digest(trainer.model)]
    with EventStorage():
        moves = sys.argv[2:] == ["moves"]
        cores = itertools.cycle(sorted(visible_cores()))
        for step in (trainer.basic_step, trainer.basic_step, lambda: trainer.meta_step(0)):
            if moves and kernel_cores():
                keep_kernels_on({next(cores)})
            step()
            trainer.finish()
            found.append(_digest(trainer.model))
    sys.stdout.write("\n".join(found))


if __name__ == "__main__":
    main()
