"""Train or evaluate: `python tools/train_net.py --config-file FILE [--eval-only] [KEY VALUE ...]`.

See `--help` for all options, README.md for examples.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.config import CfgNode, get_cfg
from fastreid.engine import (
    CLASSIFIER_PREFIXES,
    DefaultTrainer,
    default_argument_parser,
    default_setup,
    launch,
)
from fastreid.utils.checkpoint import Checkpointer


def setup(args: argparse.Namespace) -> CfgNode:
    """Read the configuration and set up the job."""
    cfg = get_cfg()
    if args.config_file:
        cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    if args.eval_only:
        cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.freeze()
    default_setup(cfg, args)
    return cfg


def main(args: argparse.Namespace) -> dict:
    """Evaluate MODEL.WEIGHTS, or train."""
    cfg = setup(args)
    if not args.eval_only:
        trainer = DefaultTrainer(cfg)
        trainer.resume_or_load(resume=args.resume)
        return trainer.train()
    if not cfg.MODEL.WEIGHTS:
        raise ValueError(
            "--eval-only needs MODEL.WEIGHTS, e.g. MODEL.WEIGHTS logs/model_final.ckpt"
        )
    model = DefaultTrainer.build_model(cfg)
    Checkpointer(model).load(cfg.MODEL.WEIGHTS, ignore=CLASSIFIER_PREFIXES, weights_only=True)
    return DefaultTrainer.test(cfg, model)


def run() -> int:
    """Parse the command line and run."""
    args = default_argument_parser().parse_args()
    launch(
        main,
        args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url=args.dist_url,
        args=(args,),
    )
    return 0


if __name__ == "__main__":
    sys.exit(run())
