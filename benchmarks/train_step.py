"""Time training steps and evaluation on synthetic images: `python benchmarks/train_step.py`.

Measures this toolbox alone, or in turn, A B A B, with a checkout of the PyTorch original
(`--original PATH`). Every task has separate processes, so that each memory peak is that of the
task. README.md in this folder has results. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import statistics
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
_TASKS = {
    "basic": ("basic",),
    "meta": ("meta",),
    "cycle": ("basic", "basic", "basic", "meta"),
    "evaluation": ("evaluation",),
}
_PROGRAMS = ("ours", "original")
_HEADERS = ("task", "code", "first s", "median s", "least", "most", "peak GiB", "above model GiB")

# Columns of the table that are compared, and their names in the comparison.
_COMPARED = {3: "time", 6: "peak memory", 7: "memory above the model"}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Time ACL's steps, a cycle of three basic and one meta step, and evaluation.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "bagtricks_DR50_mix.yml"))
    parser.add_argument("--original", metavar="PATH", help="also time this checkout of ACL-DGReID")
    parser.add_argument("--tasks", nargs="+", default=list(_TASKS), choices=list(_TASKS))
    parser.add_argument("--batch", type=int, default=24, help="images of a basic step")
    parser.add_argument("--eval-batch", type=int, default=32, help="images of an evaluation")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[11934, 751, 1041], help="per source domain"
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each task")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], help="KEY VALUE pairs, for ours"
    )
    return parser.parse_args(argv)


def measure(task: str, contenders: Sequence[Contender]) -> dict[str, dict]:
    """Run a task once in each process; return seconds, in total and of each step, and memory."""
    found = {}
    for contender in contenders:
        answers = [contender.ask(step) for step in _TASKS[task]]
        found[contender.name] = {
            "steps": [answer["seconds"] for answer in answers],
            "seconds": sum(answer["seconds"] for answer in answers),
            "peak": answers[-1]["peak_gib"],
            "above": answers[-1]["above_model_gib"],
        }
    return found


def report(task: str, first: dict[str, dict], rounds: Sequence[dict[str, dict]]) -> list[list]:
    """Return the rows of the table: times of the first run, which compiles, and others; memory."""
    rows = []
    for name in first:
        seconds = [found[name]["seconds"] for found in rounds]
        middle = [statistics.median(seconds), min(seconds), max(seconds)]
        memory = [rounds[-1][name]["peak"], rounds[-1][name]["above"]]
        rows.append([task, name, first[name]["seconds"], *middle, *memory])
    return rows


def ratio(rows: Sequence[Sequence]) -> str:
    """Format ours relative to the original, in time and memory, from the rows of a task."""
    ours, original = rows
    parts = [f"{ours[i] / original[i]:.2f} of its {what}" for i, what in _COMPARED.items()]
    return f"{ours[0]}: ours takes {', '.join(parts)}"


def run_task(task: str, scripts: Sequence[Path], job: dict, rounds: int) -> list[list]:
    """Measure one task, once to compile and `rounds` times, and print the time of each step."""
    contenders = []
    try:
        for script in scripts:
            contenders.append(Contender(script, job))
        first = measure(task, contenders)
        found = [measure(task, contenders) for _ in range(rounds)]
    finally:
        for contender in contenders:
            contender.close()
    for number, one in enumerate(found, start=1):
        steps = "; ".join(
            f"{name} {' + '.join(f'{s:.2f}' for s in done['steps'])} s"
            for name, done in one.items()
        )
        print(f"{task}, round {number}: {steps}", flush=True)
    return report(task, first, found)


def figures(rows: Sequence[Sequence]) -> list[Result]:
    """Return the figures of the table: time and peak of each task, beside the original's."""
    ours, original = ({row[0]: row for row in rows if row[1] == name} for name in _PROGRAMS)
    found = []
    for task, row in ours.items():
        for column, unit, what in ((3, "s", "time"), (6, "GiB", "peak"), (2, "s", "first time")):
            beside = original.get(task)
            other = (beside[column], "ACL-DGReID") if beside else (None, "")
            found.append(Result(f"{task}, {what}", unit, row[column], *other))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each task and print the table."""
    args = parse_args(argv)
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    job = {
        "original": args.original and str(Path(args.original).resolve()),
        "config_file": args.config_file,
        "batch": args.batch,
        "eval_batch": args.eval_batch,
        "classes": args.classes,
        "size": list(cfg.INPUT.SIZE_TRAIN),
        "opts": args.opts,
    }
    names = ["ours", *["original"] * bool(args.original)]
    rows, ratios = [], []
    for task in args.tasks:
        of_task = run_task(task, [_SCRIPTS / f"{name}.py" for name in names], job, args.rounds)
        rows += of_task
        if args.original:
            ratios.append(ratio(of_task))
    print(tabulate(rows, headers=_HEADERS, floatfmt=".2f"))
    print(*ratios, sep="\n")
    write_results(args.json, figures(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
