"""Time training steps alone and beside busy programs: `python benchmarks/shared_machine.py`.

A program that gets its fair share of C cores beside N endless loops takes 1 + N / C times as long
as alone. DISPATCH_THREADS 0 chooses at the start, so it is measured in two processes, one started
on the quiet machine and one beside the loops. README.md in this folder has results.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from benchmarks.contenders import Contender
from benchmarks.results import Result, write_results
from fastreid.config import CfgNode, get_cfg
from fastreid.utils.machine import num_cores

_ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = Path(__file__).resolve().parent / "steps"
_LOOP = "while True: pass"
# The choice that is made at the start of a process.
CHOSEN = "DISPATCH_THREADS 0"
_HEADERS = ("code", "alone s", "beside s", "slower by", "of the fair share", "CPU s alone, beside")


class Steps(NamedTuple):
    """Medians over the steps of one process.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of the processor.
    """

    seconds: float
    cpu_seconds: float


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Time training steps alone and beside busy programs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "demo.yml"))
    parser.add_argument("--original", metavar="PATH", help="also time this checkout of ACL-DGReID")
    parser.add_argument("--busy", type=int, default=num_cores(), help="endless loops")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[0, 1, 2], help="choices of DISPATCH_THREADS"
    )
    parser.add_argument("--batch", type=int, default=0, help="images of a step; 0: the config's")
    parser.add_argument("--steps", type=int, default=10, help="steps of each measurement")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[60, 60, 60], help="per source domain"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], help="KEY VALUE pairs, for ours"
    )
    return parser.parse_args(argv)


def fair_slowdown(busy: int, cores: int) -> float:
    """Return by what factor a program is slowed down that gets its share beside endless loops.

    Args:
        busy: number of loops.
        cores: number of cores that all share.
    """
    return 1 + busy / cores


@contextlib.contextmanager
def loops(count: int) -> Iterator[None]:
    """Run endless loops while the block runs."""
    processes = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def started(script: Path, job: dict) -> Contender:
    """Start a process and let it take the first steps, which compile and allocate."""
    contender = Contender(script, job)
    for _ in range(2):
        contender.ask("basic")
    return contender


def timed(contender: Contender, steps: int) -> Steps:
    """Time basic steps of a process that has started."""
    answers = [contender.ask("basic") for _ in range(steps)]
    return Steps(*(statistics.median(a[key] for a in answers) for key in Steps._fields))


def measure(
    script: Path, job: dict, *, steps: int, busy: int, restart: bool
) -> tuple[Steps, Steps]:
    """Time steps alone, and then beside endless loops.

    Args:
        script: program of the process.
        job: its job.
        steps: number of steps of each measurement.
        busy: number of loops.
        restart: start another process beside the loops, for what a process chooses at its start.
    """
    with contextlib.ExitStack() as stack:
        contender = started(script, job)
        stack.callback(lambda: contender.close())
        alone = timed(contender, steps)
        if restart:
            contender.close()
        stack.enter_context(loops(busy))
        if restart:
            contender = started(script, job)
        return alone, timed(contender, steps)


def row(name: str, alone: Steps, beside: Steps, fair: float) -> list:
    """Return a row of the table."""
    slower = beside.seconds / alone.seconds
    cpu = f"{alone.cpu_seconds:.2f}, {beside.cpu_seconds:.2f}"
    return [name, alone.seconds, beside.seconds, slower, slower / fair, cpu]


def figures(name: str, alone: Steps, beside: Steps) -> list[Result]:
    """Return the figures of a row: seconds of a step."""
    return [
        Result(f"{name}, alone", "s", alone.seconds),
        Result(f"{name}, beside", "s", beside.seconds),
    ]


def make_job(args: argparse.Namespace, cfg: CfgNode) -> dict:
    """Return the job of every process."""
    return {
        "original": args.original and str(Path(args.original).resolve()),
        "config_file": args.config_file,
        "batch": args.batch or cfg.SOLVER.IMS_PER_BATCH,
        "eval_batch": 2,
        "classes": args.classes,
        "size": list(cfg.INPUT.SIZE_TRAIN),
        "opts": args.opts,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each choice and print the table."""
    args = parse_args(argv)
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    job = make_job(args, cfg)
    images = ["SOLVER.IMS_PER_BATCH", str(job["batch"])]
    jobs = {
        f"DISPATCH_THREADS {threads}": (
            _SCRIPTS / "ours.py",
            {**job, "opts": [*args.opts, *images, "DISPATCH_THREADS", str(threads)]},
        )
        for threads in args.threads
    }
    if args.original:
        jobs["original"] = (_SCRIPTS / "original.py", job)
    fair = fair_slowdown(args.busy, num_cores())
    rows, results = [], []
    for name, (script, one) in jobs.items():
        restart = name == CHOSEN
        alone, beside = measure(script, one, steps=args.steps, busy=args.busy, restart=restart)
        rows.append(row(name, alone, beside, fair))
        results += figures(name, alone, beside)
        print(f"{name}: alone {alone.seconds:.2f} s, beside {beside.seconds:.2f} s", flush=True)
    print(f"{args.busy} endless loops on {num_cores()} cores; fair: {fair:.2f} times as long")
    print(tabulate(rows, headers=_HEADERS, floatfmt=".2f"))
    write_results(args.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
