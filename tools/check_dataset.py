"""Check a data set: `python tools/check_dataset.py NAME [--for train|test]`.

Reads every image and lists what is missing, empty, damaged or unusual: counts that differ from the
published ones, identities with too few images or cameras, skipped files, and images that are both
in training and test. A FAULT is an error in training (--for train) or evaluation (--for test), with
the same message; a note is not an error. Without --for, the data set is checked for every use that
it has images for. The exit code is 1 if there are faults. Training and evaluation run the same
check at their start, without opening the images, as with --quick.

    FASTREID_DATASETS=datasets/demo python tools/check_dataset.py Market1501
    python tools/check_dataset.py ImageList --for test DATASETS.IMAGE_LIST people.csv
    python tools/check_dataset.py Market1501 --config-file configs/Market1501/bagtricks_R50.yml

With --config-file, the tool also checks whether the sampler of the configuration can fill a batch.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from tabulate import tabulate

from fastreid.config import is_setting, load_config
from fastreid.data import CheckResult, check_for_run
from fastreid.data.checks import USES
from fastreid.utils.command_line.command import run_command, split_pairs
from fastreid.utils.logger import log_to_screen


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="check_dataset.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="registered name, such as Market1501")
    parser.add_argument("--config-file", metavar="F", help="YAML configuration to start from")
    parser.add_argument(
        "--for", dest="use", choices=tuple(USES), help="use of the data set; default: all it has"
    )
    parser.add_argument("--quick", action="store_true", help="do not open the images")
    parser.add_argument("--workers", type=int, default=2, help="processes that read images")
    parser.add_argument(
        "opts", nargs="*", default=[], metavar="KEY VALUE", help="settings of DATASETS"
    )
    words, pairs = split_pairs(sys.argv[1:] if argv is None else argv, is_setting)
    args = parser.parse_intermixed_args(words)
    args.opts = [*args.opts, *pairs]
    return args


def report(result: CheckResult) -> str:
    """Format the result of a check.

    Args:
        result: result of `check_for_run`.

    Returns:
        The text to print.
    """
    rows = [(split, *numbers) for split, numbers in result.counts.items()]
    lines = [tabulate(rows, headers=["subset", "# ids", "# images", "# cameras"])]
    if result.published:
        lines.append(result.published)
    lines += [f"note: {remark}" for remark in result.remarks]
    lines += [f"{len(result.faults)} faults, {len(result.remarks)} notes"]
    # Faults come last, because the end of the output is visible on a screen.
    return "\n".join([*lines, *(f"FAULT: {fault}" for fault in result.faults)])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = parse_args(argv)
    # The result contains everything that is logged below this level.
    log_to_screen(logging.WARNING)
    cfg = load_config(args.config_file, args.opts)
    result = check_for_run(
        cfg,
        args.name,
        uses=[args.use] if args.use else [],
        quick=args.quick,
        num_workers=args.workers,
        with_sampler=args.config_file is not None,
    )
    print(report(result))
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
