"""Print the memory of a training process, stage by stage: `python benchmarks/memory.py`.

Linux only. docs/performance.md says what holds the memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from benchmarks.contenders import Contender
from benchmarks.results import Result, write_results
from fastreid.config import get_cfg

_ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = Path(__file__).resolve().parent / "steps"

# What is done before each row of the table.
STAGES = {
    "model and optimizers": ("model",),
    "first basic step": ("basic",),
    "first meta step": ("meta",),
    "cycle": ("basic", "basic", "basic", "meta"),
}
_COLUMNS = {
    "resident": "resident_gib",
    "peak": "peak_gib",
    "small chunks": "small_gib",
    "mapped chunks": "mapped_gib",
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Print the memory of a training process in GiB: what is resident, its peak, "
        "and what the allocator of glibc has given out in small and in mapped chunks.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "bagtricks_DR50_mix.yml"))
    parser.add_argument("--original", metavar="PATH", help="also measure this ACL-DGReID")
    parser.add_argument("--batch", type=int, default=24, help="images of a basic step")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[11934, 751, 1041], help="per source domain"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the peaks here")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], help="KEY VALUE pairs, for ours"
    )
    return parser.parse_args(argv)


def measure(script: Path, job: dict) -> dict[str, dict[str, float]]:
    """Run all stages in one process; return the last answer of each stage."""
    process = Contender(script, job)
    try:
        return {stage: [process.ask(t) for t in tasks][-1] for stage, tasks in STAGES.items()}
    finally:
        process.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each program and print the table."""
    args = parse_args(argv)
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    job = {
        "original": args.original and str(Path(args.original).resolve()),
        "config_file": args.config_file,
        "batch": args.batch,
        "eval_batch": 2,
        "classes": args.classes,
        "size": list(cfg.INPUT.SIZE_TRAIN),
        "opts": args.opts,
    }
    names = ["ours", *["original"] * bool(args.original)]
    found = {name: measure(_SCRIPTS / f"{name}.py", job) for name in names}
    rows = [
        [name, stage, *(answer.get(key) for key in _COLUMNS.values())]
        for name, answers in found.items()
        for stage, answer in answers.items()
    ]
    print(tabulate(rows, headers=["code", "after", *_COLUMNS], floatfmt=".2f"))
    results = []
    for stage, answer in found["ours"].items():
        beside = found.get("original", {}).get(stage)
        other = (beside["peak_gib"], "ACL-DGReID") if beside else (None, "")
        results.append(Result(f"peak until {stage}", "GiB", answer["peak_gib"], *other))
    write_results(args.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
