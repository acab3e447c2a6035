"""Time the training steps of a config on synthetic images: `python benchmarks/train_step.py`.

Prints the seconds of the first step of each kind, which compiles its graphs, the median of the
steps after it, and the peak memory of the process. What the images show does not matter for speed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import mindspore as ms
import numpy as np

from fastreid.config import CfgNode, get_cfg
from fastreid.engine import MetaTrainer, set_device_and_mode
from fastreid.engine.train_step import LossForward
from fastreid.modeling import Phase, build_model
from fastreid.solver import build_gradient_clipper, build_optimizer
from fastreid.utils.events import EventStorage, max_memory_gb

_ROOT = Path(__file__).resolve().parent.parent


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Time the basic and meta steps of an ACL config on synthetic images.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "bagtricks_DR50_mix.yml"))
    parser.add_argument("--batch", type=int, default=24, help="images of a basic step")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[11934, 751, 1041], help="per source domain"
    )
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each kind")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs")
    return parser.parse_args()


def make_batch(rng: np.random.Generator, cfg: CfgNode, rows: int, domain: int | None) -> dict:
    """Columns of a loader's batch: four images per identity, of one domain or of all in turn."""
    classes = cfg.MODEL.HEADS.CLASSES_PER_DOMAIN
    first = np.concatenate([[0], np.cumsum(classes)])
    people = np.arange(rows) // 4
    domains = people % len(classes) if domain is None else np.full(rows, domain)
    return {
        "images": rng.uniform(0, 255, (rows, 3, *cfg.INPUT.SIZE_TRAIN)).astype(np.float32),
        "targets": (first[domains] + people).astype(np.int32),
        "domainids": domains.astype(np.int32),
        "img_paths": np.array([f"synthetic {i}" for i in range(rows)]),
    }


def build_trainer(cfg: CfgNode, batch: int) -> MetaTrainer:
    """The trainer of a config, on endless synthetic batches."""
    rng = np.random.default_rng(0)
    model = build_model(cfg)
    parameters = model.trainable_params()
    domains = range(len(cfg.MODEL.HEADS.CLASSES_PER_DOMAIN))
    trainer = MetaTrainer(
        model,
        [make_batch(rng, cfg, batch, None)] * 1000,
        domain_loaders=[[make_batch(rng, cfg, batch // 2, domain)] * 1000 for domain in domains],
        forward=LossForward(model, model.criterion(Phase.BASIC)),
        meta_train_forward=LossForward(model, model.criterion(Phase.META_TRAIN)),
        meta_test_forward=LossForward(model, model.criterion(Phase.META_TEST)),
        optimizers=[build_optimizer(cfg, parameters)],
        meta_optimizer=build_optimizer(cfg, parameters, with_momentum=False),
        clipper=build_gradient_clipper(cfg),
        log_period=10**6,
        period=cfg.SOLVER.META.PERIOD,
        first_basic_steps=1,
        adaptor_lr_factor=cfg.SOLVER.META.ADAPTOR_LR_FACTOR,
        seed=cfg.SEED,
    )
    trainer.iter = 1
    return trainer


def measure(name: str, step: Callable[[], None], steps: int) -> None:
    """Run a step once to compile it and `steps` times more; print the times."""
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    print(
        f"{name}: first {seconds[0]:.1f} s, then median {statistics.median(seconds[1:]):.2f} s "
        f"({min(seconds[1:]):.2f} to {max(seconds[1:]):.2f}), peak memory {max_memory_gb():.2f} GB"
    )


def main() -> int:
    """Time basic steps, then meta steps."""
    args = parse_args()
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(
        ["MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.CLASSES_PER_DOMAIN", str(args.classes)]
    )
    cfg.merge_from_list(args.opts)
    cfg.freeze()
    target = set_device_and_mode(cfg)
    ms.set_seed(0)
    print(f"{args.config_file}, batch {args.batch}, {cfg.INPUT.SIZE_TRAIN}, {target}, {cfg.MODE}")
    with EventStorage():
        trainer = build_trainer(cfg, args.batch)

        def basic_step() -> None:
            trainer.basic_step()
            trainer.finish()

        def meta_step() -> None:
            trainer.meta_step(0)
            trainer.finish()

        measure("basic step", basic_step, args.steps)
        measure("meta step", meta_step, args.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
