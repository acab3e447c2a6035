"""Check a data set before a run does: `python tools/check_dataset.py NAME [--quick]`.

Reads every image and says what is missing, empty, broken or unusual, which counts are not the
published ones, which identities have too few images or cameras, and what is in training and in
test. Ends with 1 if something would end a run or spoil its scores. Training and evaluation make
the quick part of these checks on their own.

    FASTREID_DATASETS=datasets/demo python tools/check_dataset.py Market1501
    python tools/check_dataset.py ImageList DATASETS.IMAGE_LIST people.csv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from fastreid.config import get_cfg
from fastreid.data import CheckResult, WorkerError, check_dataset, load_dataset


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="registered name, such as Market1501")
    parser.add_argument("--quick", action="store_true", help="do not open the images")
    parser.add_argument("--workers", type=int, default=2, help="processes that read images")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="settings of DATASETS")
    return parser.parse_intermixed_args()


def report(result: CheckResult) -> str:
    """Write a result down.

    Args:
        result: of the check.

    Returns:
        Several lines.
    """
    rows = [(split, *numbers) for split, numbers in result.counts.items()]
    lines = [tabulate(rows, headers=["subset", "# ids", "# images", "# cameras"])]
    lines += [f"FAULT: {fault}" for fault in result.faults]
    lines += [f"note: {remark}" for remark in result.remarks]
    return "\n".join([*lines, f"{len(result.faults)} faults, {len(result.remarks)} notes"])


def main() -> int:
    """Run the command."""
    args = parse_args()
    try:
        cfg = get_cfg()
        cfg.merge_from_list(args.opts)
        result = check_dataset(
            load_dataset(cfg, args.name), quick=args.quick, num_workers=args.workers
        )
    except (OSError, ValueError, KeyError, TypeError, WorkerError) as error:
        # A KeyError shows its message in quotes.
        message = error.args[0] if isinstance(error, KeyError) else error
        print(f"check_dataset.py: {message}", file=sys.stderr)
        return 1
    print(report(result))
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
