"""Time a member of each family of backbones: `python benchmarks/backbones.py`.

Measures this toolbox alone, or in turn, A B A B, with a checkout of fast-reid under PyTorch
(`--fastreid PATH`). Every measurement of a network has its own processes, so that each memory peak
is that of the measurement. `--sizes` counts parameters and operations of all members instead.
README.md in this folder has results. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from benchmarks.contenders import Contender
from benchmarks.networks.families import FAMILIES, Family
from benchmarks.results import Result, write_results

_SCRIPTS = Path(__file__).resolve().parent / "networks"
# --clock -> key of the answers of the processes.
_CLOCKS = {"wall": "seconds", "cpu": "cpu_seconds"}
_TASKS = {"forward": "forward", "training": "forward + backward"}
# Goals for the ratios of a task over all families.
_MEDIAN_GOAL, _WORST_GOAL = 1.0, 1.5

_HEADERS = ("network", "task", "ours s", "fast-reid s", "ratio", "ours GiB", "fast-reid GiB")
_SIZE_HEADERS = ("network", "DEPTH", "parameters (million)", "GFLOP", "FEAT_DIM")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Time the forward pass, in evaluation, and the forward and backward pass, in "
        "training, of one member of each family of backbones.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--fastreid", metavar="PATH", help="also time this checkout of fast-reid")
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--tasks", nargs="+", default=list(_TASKS), choices=list(_TASKS))
    parser.add_argument("--batch", type=int, default=16, help="images of a batch; of ViT 8")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each network")
    parser.add_argument(
        "--clock",
        choices=list(_CLOCKS),
        default="wall",
        help="cpu: the processor's time, which other programs disturb less; pin it to one core",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table here")
    parser.add_argument("--sizes", action="store_true", help="count parameters and operations")
    return parser.parse_args(argv)


def measure(
    task: str, scripts: Sequence[Path], job: dict, rounds: int, *, clock: str = "wall"
) -> dict[str, Any]:
    """Run a task in one process for each script, once to compile and `rounds` times.

    Args:
        task: "forward" or "training".
        scripts: programs that take turns.
        job: what they read first.
        rounds: how often each runs the task after the first time.
        clock: "wall", or "cpu" for the processor's time.

    Returns:
        Seconds by name of the script, first run and later ones; peaks of memory in GiB.
    """
    contenders: list[Contender] = []
    try:
        for script in scripts:
            contenders.append(Contender(script, job))
        first = {each.name: each.ask(task)[_CLOCKS[clock]] for each in contenders}
        found = [{each.name: each.ask(task) for each in contenders} for _ in range(rounds)]
    finally:
        for contender in contenders:
            contender.close()
    names = list(first)
    return {
        "first": first,
        "seconds": {name: [one[name][_CLOCKS[clock]] for one in found] for name in names},
        "peak_gib": {name: found[-1][name]["peak_gib"] for name in names},
    }


def paired_ratio(seconds: dict[str, list[float]]) -> float | None:
    """Take the median over the rounds of ours / original; None where ours ran alone."""
    if "original" not in seconds:
        return None
    pairs = zip(seconds["ours"], seconds["original"])
    return statistics.median(ours / original for ours, original in pairs)


def row_of(name: str, task: str, found: dict[str, Any]) -> list:
    """Return a row of the table."""
    seconds = {name: statistics.median(values) for name, values in found["seconds"].items()}
    return [
        *(name, _TASKS[task], seconds["ours"], seconds.get("original")),
        *(paired_ratio(found["seconds"]), found["peak_gib"]["ours"]),
        found["peak_gib"].get("original"),
    ]


def figure(name: str, task: str, ours: float, other: float | None) -> Result:
    """Return the time in the row of a network in the table."""
    return Result(f"{name}, {task}", "s", ours, other, "" if other is None else "fast-reid")


def verdict(task: str, ratios: dict[str, float]) -> str:
    """Compare the ratios of a task with the goals.

    Args:
        task: "forward" or "training".
        ratios: by network, not empty.
    """
    middle = statistics.median(ratios.values())
    over = [f"{name} {ratio:.2f}" for name, ratio in ratios.items() if ratio > _WORST_GOAL]
    median_met = "met" if middle <= _MEDIAN_GOAL else "missed"
    worst = f"missed by {', '.join(over)}" if over else "met"
    return (
        f"{_TASKS[task]}: median of {len(ratios)} ratios {middle:.2f} "
        f"(goal: at most {_MEDIAN_GOAL}, {median_met}), highest {max(ratios.values()):.2f} "
        f"(goal: at most {_WORST_GOAL}, {worst})"
    )


def registered(names: Sequence[str]) -> dict[str, Family]:
    """Return the families of this version; name the others on standard error."""
    for name in names:
        if not FAMILIES[name].is_registered:
            missing = FAMILIES[name].backbone
            print(f"{name} is skipped: {missing} is not registered", file=sys.stderr)
    return {name: FAMILIES[name] for name in names if FAMILIES[name].is_registered}


def time_all(args: argparse.Namespace) -> None:
    """Measure all networks and print, and write, the table."""
    original = args.fastreid and str(Path(args.fastreid).resolve())
    scripts = [_SCRIPTS / f"{name}.py" for name in ("ours", *["original"] * bool(original))]
    rows, results = [], []
    ratios: dict[str, dict[str, float]] = {task: {} for task in args.tasks}
    for name, family in registered(args.families).items():
        batch = min(args.batch, family.batch or args.batch)
        job = {"original": original, "words": family.words(family.member)}
        job.update(size=list(args.size), batch=batch)
        for task in args.tasks:
            label = f"{name} {family.member}"
            found = measure(task, scripts, job, args.rounds, clock=args.clock)
            rows.append(row_of(label, task, found))
            results.append({"network": label, "task": task, "batch": batch, **found})
            ratio = paired_ratio(found["seconds"])
            if ratio is not None:
                ratios[task][label] = ratio
            print(tabulate(rows[-1:], tablefmt="plain", floatfmt=".2f"), flush=True)
    print(tabulate(rows, headers=_HEADERS, floatfmt=".2f", tablefmt="pipe"))
    for task, of_task in ratios.items():
        if of_task:
            print(verdict(task, of_task))
    write_results(args.json, [figure(*row[:4]) for row in rows], details=results)


def print_sizes(args: argparse.Namespace) -> None:
    """Print parameters, operations and width of the output of every member."""
    from benchmarks.networks.sizes import Sizes, sizes_of

    found: list[Sizes] = []
    for name, family in registered(args.families).items():
        found += [sizes_of(name, family, depth, tuple(args.size)) for depth in family.widths]
    rows = [
        [one.network, one.depth, one.parameters / 1e6, one.gflop, one.feat_dim] for one in found
    ]
    print(tabulate(rows, headers=_SIZE_HEADERS, floatfmt=".2f", tablefmt="pipe"))
    write_results(args.json, [], details=[one._asdict() for one in found])


def main(argv: Sequence[str] | None = None) -> int:
    """Time the networks, or count their parameters and operations."""
    args = parse_args(argv)
    if args.sizes:
        print_sizes(args)
    else:
        time_all(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
