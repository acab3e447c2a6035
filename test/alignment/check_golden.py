"""Compare this toolbox with a golden file: numbers that the PyTorch original computed.

One row per check: our error against the original in float64, the original's own error in float32,
what is allowed, and the verdict. The exit code is 0 only if all pass; 2 where nothing could be
checked. Kind, seed, size and config options are read from the file.

    python test/alignment/check_golden.py --golden test/golden/dr50_seed0.npz
    python test/alignment/check_golden.py --golden test/golden/dr50_seed0.npz --device gpu

On a GPU, convolutions and products are computed in full float32 precision, without TF32.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# Imported before MindSpore, because it sets environment variables that MindSpore reads.
import fastreid  # noqa: F401, I001

import mindspore as ms
from tabulate import tabulate

from fastreid.config import get_cfg
from fastreid.engine import set_device_and_mode
from test.alignment.golden import Check, GoldenFile
from test.alignment.golden_distill import DistillChecks
from test.alignment.golden_dr50 import Dr50Checks
from test.alignment.golden_fastreid import FastReidChecks
from test.alignment.golden_misc import MiscChecks

KINDS = {
    "distill": DistillChecks,
    "dr50": Dr50Checks,
    "fastreid": FastReidChecks,
    "misc": MiscChecks,
}
MODES = ("graph", "pynative")
HEADERS = ("check", "ours", "original float32", "allowed", "verdict")


def run_checks(golden: GoldenFile, only: str = "") -> Iterator[Check]:
    """Run the checks of a golden file.

    Args:
        golden: the file.
        only: run those whose names start with this.

    Yields:
        One `Check` each.

    Raises:
        ValueError: if the file is of an unknown kind, incomplete, or has no such check.
    """
    if golden.kind not in KINDS:
        raise ValueError(f"{golden.path} is of kind {golden.kind!r}; known are {sorted(KINDS)}.")
    checks = KINDS[golden.kind](golden)
    wanted = [
        run
        for section, run in checks.sections.items()
        if section.startswith(only) or only.startswith(section)
    ]
    found = False
    for run in wanted:
        for check in run():
            if check.name.startswith(only):
                found = True
                yield check
    if not found:
        raise ValueError(
            f"No check of {golden.path} starts with {only!r}; its sections are "
            f"{', '.join(checks.sections)}."
        )


def prepare_device(device: str, mode: str) -> None:
    """Choose where and how networks run.

    Args:
        device: as MODEL.DEVICE, such as "cpu" or "gpu:0".
        mode: "graph" or "pynative".

    Raises:
        ValueError: if there is no such device.
    """
    cfg = get_cfg()
    cfg.MODEL.DEVICE, cfg.MODE = device, mode
    if set_device_and_mode(cfg) == "GPU":
        precision = ms.device_context.gpu.op_precision
        precision.conv_allow_tf32(False)
        precision.matmul_allow_tf32(False)


def main() -> int:
    """Check one file and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--golden", required=True, metavar="FILE", help="the golden file (.npz)")
    parser.add_argument("--mode", choices=MODES, default="graph", help="execution mode")
    parser.add_argument(
        "--only", default="", metavar="PREFIX", help="run checks whose names start with this"
    )
    parser.add_argument("--device", default="cpu", help="as MODEL.DEVICE; default: cpu")
    args = parser.parse_args()
    start = time.perf_counter()
    try:
        prepare_device(args.device, args.mode)
        checks = list(run_checks(GoldenFile(args.golden), args.only))
    except (FileNotFoundError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 2
    print(tabulate([check.row() for check in checks], headers=HEADERS, disable_numparse=True))
    failed = sum(not check.passed for check in checks)
    verdict = f"{failed} of {len(checks)} checks failed" if failed else f"{len(checks)} checks pass"
    seconds = time.perf_counter() - start
    print(f"\n{verdict}: {args.golden}, {args.device}, {args.mode} mode, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
