"""Train or evaluate a person re-identification model.

    python tools/train_net.py --config-file configs/demo.yml SOLVER.MAX_EPOCH 10
    python tools/train_net.py --config-file logs/config.yaml --eval-only MODEL.WEIGHTS W.ckpt

README.md has more examples.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fastreid.config import CfgNode, load_config
from fastreid.data import check_test_sets
from fastreid.engine import (
    ClasTrainer,
    DefaultTrainer,
    classifies,
    default_argument_parser,
    default_setup,
    launch,
)

_TOOL = "train_net.py"
# Where the package is installed, there are no tools/ and no demo data.
_INSTALLED = """Train or evaluate a person re-identification model.

    {prog} --config-file configs/Market1501/bagtricks_R50.yml MODEL.BACKBONE.PRETRAIN False
    {prog} --config-file logs/config.yaml --eval-only MODEL.WEIGHTS W.ckpt

Configuration files under configs/ are installed with the package and found from every folder.
"""


def setup(args: argparse.Namespace) -> CfgNode:
    """Read the configuration and set up the job."""
    cfg = load_config(args.config_file, args.opts)
    cfg.freeze()
    default_setup(cfg, args)
    return cfg


def main(args: argparse.Namespace) -> dict:
    """Evaluate MODEL.WEIGHTS, or train."""
    cfg = setup(args)
    if not args.eval_only:
        trainer = (ClasTrainer if classifies(cfg) else DefaultTrainer)(cfg)
        trainer.resume_or_load(resume=args.resume)
        return trainer.train()
    if not cfg.MODEL.WEIGHTS:
        raise ValueError(
            "--eval-only needs MODEL.WEIGHTS, e.g. MODEL.WEIGHTS logs/model_final.ckpt"
        )
    if classifies(cfg):
        return ClasTrainer.evaluate(cfg)
    check_test_sets(cfg)
    return DefaultTrainer.evaluate(cfg)


def run(argv: Sequence[str] | None = None, *, prog: str = _TOOL) -> int:
    """Parse the command line and run.

    Args:
        argv: the arguments; None: those of this process.
        prog: name of the program in its help.

    Returns:
        The exit code.
    """
    parser = default_argument_parser()
    parser.prog = prog
    parser.description = __doc__ if prog == _TOOL else _INSTALLED.format(prog=prog)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    args = parser.parse_args(argv)
    launch(
        main,
        args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url=args.dist_url,
        args=(args,),
    )
    return 0
