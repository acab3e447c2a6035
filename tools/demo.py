"""Demo: train ACL on three small rendered domains and evaluate on a fourth, unseen one.

The tool creates the demo data sets if they are missing, evaluates the untrained network, trains it,
evaluates it again, prints both scores and draws plots.

    python tools/demo.py
    python tools/demo.py SEED 1 OUTPUT_DIR logs/demo_seed1
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from tabulate import tabulate

from demo_data import make_demo_data
from fastreid.config import CfgNode, load_config
from fastreid.data import build_reid_test_loader
from fastreid.engine import DefaultTrainer, default_setup
from fastreid.evaluation import ReidEvaluator, inference_on_dataset
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_folder
from fastreid.utils.visualizer import RankingReport, plot_cmc

if TYPE_CHECKING:
    from mindspore import nn

_ROOT = Path(__file__).resolve().parent.parent
_SHOWN = ("Rank-1", "Rank-5", "Rank-10", "mAP", "mINP")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", type=user_path, default=_ROOT / "configs" / "demo.yml")
    parser.add_argument(
        "--data",
        type=user_path,
        default=_ROOT / "datasets" / "demo",
        help="folder of the demo data sets",
    )
    parser.add_argument(
        "opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that change the configuration"
    )
    return parser.parse_args(argv)


def setup(args: argparse.Namespace) -> CfgNode:
    """Read the configuration and set up the job."""
    cfg = load_config(args.config_file, args.opts)
    cfg.freeze()
    default_setup(cfg, args)
    return cfg


def evaluate(cfg: CfgNode, model: nn.Cell, name: str) -> tuple[dict, RankingReport]:
    """Evaluate a model on a test set; return scores in percent and the data for the CMC plot."""
    loader, num_query = build_reid_test_loader(cfg, name)
    evaluator = ReidEvaluator(cfg, num_query)
    with loader:
        scores = inference_on_dataset(model, loader, evaluator, flip_test=cfg.TEST.FLIP.ENABLED)
    assert evaluator.report is not None  # evaluate() has filled it.
    return scores, evaluator.report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo."""
    args = parse_args(argv)
    start = time.perf_counter()
    os.environ["FASTREID_DATASETS"] = str(args.data)
    check_output_folder(args.data, "--data")
    cfg = setup(args)
    make_demo_data(args.data)
    target = cfg.DATASETS.TESTS[0]
    trainer = DefaultTrainer(cfg)
    before = evaluate(cfg, trainer.model, target)
    trainer.train()
    after = evaluate(cfg, trainer.model, target)
    compared = {"before training": before, "after training": after}
    output = Path(cfg.OUTPUT_DIR)
    plot_cmc(
        {label: report.cmc for label, (_, report) in compared.items()},
        output / "cmc_before_after.png",
        mean_aps={label: report.mean_ap for label, (_, report) in compared.items()},
    )
    rows = [[label, *(scores[name] for name in _SHOWN)] for label, (scores, _) in compared.items()]
    print(f"\nACL, trained on {', '.join(cfg.DATASETS.NAMES)}, tested on the unseen {target}:")
    print(tabulate(rows, headers=["", *_SHOWN], floatfmt=".1f"))
    print(f"\nPictures, logs and the model are in {output.resolve()}")
    print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, stops_at_closed_output=False))
