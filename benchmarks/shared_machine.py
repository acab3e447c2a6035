"""Time tasks alone and beside busy programs: `python benchmarks/shared_machine.py`.

A program that gets its fair share of C cores beside N endless loops takes 1 + N / C times as long
as alone. DISPATCH_THREADS 0 chooses at the start, so it is measured in two processes, one started
on the quiet machine and one beside the loops. README.md in this folder has results.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from benchmarks.contenders import Contender
from benchmarks.results import Result, write_results
from benchmarks.sharing.loops import Loops, fair_slowdown
from benchmarks.sharing.ranks import Ranks
from benchmarks.sharing.timing import Program, Times, time_task, time_tests
from fastreid.config import CfgNode, get_cfg
from fastreid.utils.machine import num_cores

_ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = Path(__file__).resolve().parent / "steps"
# Tasks of this benchmark -> those of the programs; "tests" is none of theirs.
_TASKS = {"step": "basic", "evaluation": "evaluation", "ranks": "basic"}
# Steps, forward passes and small trainings; each of them compiles, as most of a run of tests does.
_TESTS = ("test/engine/test_train_loop.py", "test/layers/test_pooling.py")
_HEADERS = ("task", "alone s", "beside s", "slower by", "of the fair share", "CPU s alone, beside")


class Case(NamedTuple):
    """A program, and which of its tasks are timed.

    Attributes:
        code: its name, for the table.
        tasks: names of this benchmark's tasks.
        start: starts the program.
        restart: whether to start it again beside the loops, for what it chooses at its start.
    """

    code: str
    tasks: Sequence[str]
    start: Callable[[], Program]
    restart: bool = False


class Row(NamedTuple):
    """A measurement, alone and beside the loops."""

    name: str
    alone: Times
    beside: Times


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Time training, evaluation, ranks and tests alone and beside busy programs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "demo.yml"))
    parser.add_argument("--original", metavar="PATH", help="also time this checkout of ACL-DGReID")
    parser.add_argument("--busy", type=int, default=num_cores(), help="endless loops")
    parser.add_argument(
        "--tasks",
        nargs="+",
        choices=[*_TASKS, "tests"],
        default=["step"],
        help="basic steps; forward passes; basic steps of two ranks; a selection of the tests",
    )
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[0, 1, 2], help="choices of DISPATCH_THREADS"
    )
    parser.add_argument("--batch", type=int, default=0, help="images of a step; 0: the config's")
    parser.add_argument(
        "--eval-batch", type=int, default=0, help="images of an evaluation; 0: the config's"
    )
    parser.add_argument("--steps", type=int, default=10, help="steps of each measurement")
    parser.add_argument("--ranks", type=int, default=2, help="ranks, and processes of the tests")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[60, 60, 60], help="per source domain"
    )
    parser.add_argument("--tests", nargs="+", default=list(_TESTS), metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], help="KEY VALUE pairs, for ours"
    )
    return parser.parse_args(argv)


def make_job(args: argparse.Namespace, cfg: CfgNode) -> dict:
    """Return the job of every process."""
    return {
        "original": args.original and str(Path(args.original).resolve()),
        "config_file": args.config_file,
        "batch": args.batch or cfg.SOLVER.IMS_PER_BATCH,
        "eval_batch": args.eval_batch or cfg.TEST.IMS_PER_BATCH,
        "classes": args.classes,
        "size": list(cfg.INPUT.SIZE_TRAIN),
        "opts": args.opts,
    }


def cases(args: argparse.Namespace, job: dict) -> Iterator[Case]:
    """Yield the programs to measure: each choice of threads, alone and as ranks; the original."""
    alone = [task for task in args.tasks if task in ("step", "evaluation")]
    for threads in args.threads:
        code = f"DISPATCH_THREADS {threads}"
        words = ["SOLVER.IMS_PER_BATCH", str(job["batch"]), *code.split()]
        one = {**job, "opts": [*args.opts, *words]}
        if alone:
            start = _starter(Contender, _SCRIPTS / "ours.py", one)
            yield Case(code, alone, start, restart=threads == 0)
        if "ranks" in args.tasks:
            part = {**one, "batch": job["batch"] // args.ranks}
            # They do not look at the machine.
            yield Case(code, ["ranks"], _starter(Ranks, _SCRIPTS / "ours.py", part, args.ranks))
    if args.original and alone:
        yield Case("original", alone, _starter(Contender, _SCRIPTS / "original.py", job))


def _starter(program: Callable[..., Program], *words: object) -> Callable[[], Program]:
    return lambda: program(*words)


def measure(case: Case, *, steps: int, busy: int) -> Iterator[Row]:
    """Time the tasks of a program alone, and then beside endless loops.

    Args:
        case: the program.
        steps: number of runs of each measurement.
        busy: number of loops.
    """

    def times(program: Program, loops: Loops) -> list[Times]:
        return [time_task(program, _TASKS[task], runs=steps, loops=loops) for task in case.tasks]

    with contextlib.ExitStack() as stack:
        program = stack.enter_context(contextlib.closing(case.start()))
        alone = times(program, Loops(0))
        if case.restart:
            program.close()
        loops = stack.enter_context(Loops(busy))
        if case.restart:
            program = stack.enter_context(contextlib.closing(case.start()))
        beside = times(program, loops)
    for task, first, second in zip(case.tasks, alone, beside):
        yield Row(f"{task}, {case.code}", first, second)


def measure_tests(tests: Sequence[str], workers: int, busy: int) -> Row:
    """Time the tests alone, and then beside endless loops."""
    alone = time_tests(tests, workers)
    with Loops(busy):
        return Row("tests", alone, time_tests(tests, workers))


def cells(row: Row, fair: float) -> list:
    """Return a row of the table."""
    _, alone, beside = row
    slower = beside.seconds / alone.seconds
    cpu = f"{alone.cpu_seconds:.2f}, {beside.cpu_seconds:.2f}"
    return [row.name, alone.seconds, beside.seconds, slower, slower / fair, cpu]


def figures(row: Row) -> list[Result]:
    """Return the figures of a row: seconds of a task."""
    return [
        Result(f"{row.name}, alone", "s", row.alone.seconds),
        Result(f"{row.name}, beside", "s", row.beside.seconds),
    ]


def all_rows(args: argparse.Namespace, job: dict) -> Iterator[Row]:
    """Yield all measurements of a command line."""
    for case in cases(args, job):
        yield from measure(case, steps=args.steps, busy=args.busy)
    if "tests" in args.tasks:
        yield measure_tests(args.tests, args.ranks, args.busy)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each choice and print the table."""
    args = parse_args(argv)
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    rows = []
    for row in all_rows(args, make_job(args, cfg)):
        rows.append(row)
        alone, beside = row.alone.seconds, row.beside.seconds
        print(f"{row.name}: alone {alone:.2f} s, beside {beside:.2f} s", flush=True)
    fair = fair_slowdown(args.busy, num_cores())
    print(f"{args.busy} endless loops on {num_cores()} cores; fair: {fair:.2f} times as long")
    print(tabulate([cells(row, fair) for row in rows], headers=_HEADERS, floatfmt=".2f"))
    write_results(args.json, [figure for row in rows for figure in figures(row)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
