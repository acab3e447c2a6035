"""Run an evaluation protocol: train and test every field of its table, and write the table.

    python tools/run_protocol.py --protocol 2 --method ACL --seeds 3 --num-gpus 8 --gpus-per-run 4
    python tools/run_protocol.py --protocol 2 --report

The protocols are the files of configs/protocols; docs/protocols.md describes them. Started again
after it was stopped in any way, the same command continues: finished runs are kept, and a run that
was interrupted goes on from its last checkpoint. The tables (table.md, .tex, .csv, .json, .png)
have published scores beside ours. Where settings or data are not those of the protocol, this is
printed and written into the tables.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

import train_net
from fastreid.config import is_setting
from fastreid.engine import default_argument_parser, default_setup, launch
from fastreid.protocols import (
    METHODS,
    Job,
    Run,
    find_method,
    find_protocol,
    is_done,
    only_one,
    plan_runs,
)
from fastreid.protocols.execution import evaluate_run
from fastreid.protocols.progress import ProgressLine
from fastreid.protocols.report import summarize_runs, write_report
from fastreid.protocols.scheduling import PARENT_VARIABLE, Task, run_tasks
from fastreid.protocols.settings import check_user_settings
from fastreid.utils.command_line.command import FAILED, run_command, split_pairs, user_path
from fastreid.utils.file_io.output_path import check_output_folder
from fastreid.utils.processes import end_with_parent

_CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="run_protocol.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--protocol", required=True, metavar="P", help="1, 2, 3, duke, ..., or a YAML file")
    add("--method", default="ACL", metavar="M", help=f"{', '.join(METHODS)}, or a YAML file")
    add("--targets", nargs="+", default=[], metavar="NAME", help="test sets; default: all")
    add("--seeds", type=int, default=3, help="number of seeds, from 0 on")
    add("--splits", type=int, help="test splits per target; default: those of the protocol")
    add("--num-gpus", type=int, default=1, help="devices; on a CPU, processes")
    add("--gpus-per-run", type=int, default=1, help="devices that share one training")
    add("--output", type=user_path, help="folder of runs and tables; default: logs/PROTOCOL")
    add("--report", action="store_true", help="only write the tables again from what is there")
    add("--run", metavar="RUN", help="do one run in this process, such as CS+M+MS_seed0")
    add("opts", nargs="*", default=[], metavar="KEY VALUE", help="settings of all runs")
    words, pairs = split_pairs(sys.argv[1:] if argv is None else argv, is_setting)
    args = parser.parse_intermixed_args(words)
    args.opts = [*args.opts, *pairs]
    return args


def make_job(args: argparse.Namespace) -> tuple[Job, list[Run]]:
    """Make the job and its runs from the command line.

    Args:
        args: result of `parse_args`.

    Raises:
        ValueError: a value is unknown or out of its range.
    """
    for option in ("seeds", "num_gpus", "gpus_per_run"):
        if getattr(args, option) < 1:
            name = option.replace("_", "-")
            raise ValueError(f"--{name} is {getattr(args, option)}; it must be at least 1.")
    if args.num_gpus % args.gpus_per_run:
        raise ValueError(
            f"--num-gpus ({args.num_gpus}) must be a multiple of --gpus-per-run "
            f"({args.gpus_per_run})."
        )
    check_user_settings(args.opts)
    protocol = find_protocol(args.protocol, _CONFIGS / "protocols")
    method, config_file = find_method(args.method, _CONFIGS)
    output = args.output or Path("logs") / protocol.name
    check_output_folder(output, "--output")
    routes = protocol.select(args.targets, num_splits=args.splits)
    return Job(protocol, method, config_file, output, args.opts), plan_runs(
        routes, range(args.seeds)
    )


def do_run(job: Job, run: Run, devices: int) -> int:
    """Train and test one run in this process, from where it stopped.

    Args:
        job: the job.
        run: one of its runs.
        devices: number of devices; with several, other processes train.
    """
    if PARENT_VARIABLE in os.environ and "MS_ROLE" not in os.environ:
        end_with_parent(int(os.environ[PARENT_VARIABLE]))
    folder = job.folder(run)
    words = ["--config-file", str(job.config_file), "--resume", *job.words(run)]
    training = default_argument_parser().parse_args(words)
    start, trains = time.perf_counter(), not folder.final.is_file()
    if trains:
        launch(train_net.main, devices, args=(training,))
        if "MS_ROLE" in os.environ:
            return 0
    seconds = time.perf_counter() - start if trains else 0.0
    cfg = job.config(run)
    if not trains or devices > 1:
        default_setup(cfg, default_argument_parser().parse_args(["--eval-only", *words]))
    evaluate_run(job.protocol, job.method, run, cfg, train_seconds=seconds)
    return 0


def do_all(job: Job, runs: Sequence[Run], args: argparse.Namespace, words: Sequence[str]) -> int:
    """Do all runs that are not done yet, side by side, and write the tables.

    Args:
        job: the job.
        runs: its runs.
        args: result of `parse_args`.
        words: the command line that it was made from.
    """
    check = job.check(runs)
    for difference in check.differences:
        print(f"differs from {job.protocol.name}: {difference}")
    missing = [run for run in runs if not is_done(job.folder(run), run)]
    again = [sys.executable, str(Path(__file__).resolve())]
    tasks = [
        Task(
            run.key,
            job.folder(run),
            [*again, "--run", run.key, *words],
            check.iterations[run.key],
        )
        for run in missing
    ]
    print(f"{job.protocol.title}: {len(runs)} runs, {len(runs) - len(missing)} of them done")
    failed = run_tasks(
        tasks,
        slots=max(1, min(args.num_gpus // args.gpus_per_run, len(tasks))),
        devices_per_slot=args.gpus_per_run,
        num_done=len(runs) - len(missing),
        title=job.protocol.name,
        line=ProgressLine(),
    )
    if len(failed) < len(runs):
        report(job)
    for task in failed:
        print(f"FAILED: {task.name}; {task.folder.output} ends with\n{task.folder.last_words()}")
    return FAILED if failed else 0


def report(job: Job) -> None:
    """Write the tables from the results that are there, and print the first.

    Args:
        job: the job.
    """
    written = write_report(summarize_runs(job.protocol, job.folders()), job.output)
    print(f"\n{written[0].read_text(encoding='utf-8')}")
    print(f"Written: {', '.join(map(str, written))}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = parse_args(argv)
    job, runs = make_job(args)
    if args.report:
        report(job)
        return 0
    if args.run:
        chosen = [run for run in runs if run.key == args.run]
        if not chosen:
            keys = ", ".join(run.key for run in runs)
            raise ValueError(f"--run {args.run!r} is not a run of this job; there are {keys}.")
        return do_run(job, chosen[0], args.gpus_per_run)
    with only_one(job.output):
        return do_all(job, runs, args, sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(run_command(main, stops_at_closed_output=False))
