"""Run all benchmarks and print one table: `python benchmarks/run.py --json FILE`.

Every benchmark is a program of its own in this folder; README.md has their meaning and results.
Those that can compare take turns with fast-reid (--fastreid PATH) or ACL-DGReID (--original PATH).
--quick uses small sizes: it shows in minutes that all of them run, and its figures mean little.
Ratios below 1 mean that ours needs less time or memory. Two files are compared by

    python benchmarks/run.py --compare BEFORE.json AFTER.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.results import (
    Result,
    comparison,
    describe_machine,
    read_results,
    table,
    write_results,
)

FOLDER = Path(__file__).resolve().parent


class Benchmark(NamedTuple):
    """One program of this folder.

    Attributes:
        script: its file.
        whole: arguments of a measurement whose figures count.
        quick: arguments of a short one.
        beside: options for other programs that it takes, "--fastreid" or "--original".
    """

    script: str
    whole: str = ""
    quick: str = ""
    beside: tuple[str, ...] = ()


BENCHMARKS = {
    "floor": Benchmark("floor.py"),
    "evaluation": Benchmark("evaluation.py", "", "--size tiny", ("--fastreid",)),
    "pipeline": Benchmark(
        "data_pipeline.py",
        "--consumer",
        "--consumer --images 40 --rounds 1 --timed 8 --workers 0 1",
        ("--original",),
    ),
    "checkpoint": Benchmark("checkpoint.py", "", "--repeat 1"),
    "gallery": Benchmark(
        "gallery.py", "--kinds folder", "--kinds folder --rows 20000 --queries 10"
    ),
    "export": Benchmark("export.py", "", "--batch 4 --rounds 1", ("--fastreid",)),
    "extraction": Benchmark(
        "extraction.py",
        "--engines processes",
        "--engines processes --images 96 --part-size 32 --workers 1 --rounds 1",
    ),
    "backbones": Benchmark(
        "backbones.py",
        "",
        "--families OSNet ResNet-IBN --batch 4 --size 128 64 --rounds 1",
        ("--fastreid",),
    ),
    "steps": Benchmark(
        "train_step.py",
        "--rounds 2 --tasks cycle evaluation",
        "--tasks evaluation --eval-batch 4 --rounds 1",
        ("--original",),
    ),
    "shared": Benchmark(
        "shared_machine.py",
        "--tasks step evaluation ranks tests --threads 0 1 --steps 5",
        "--tasks step evaluation ranks --threads 0 --steps 1 --busy 1",
        ("--original",),
    ),
    "memory": Benchmark("memory.py", "", "--batch 6 --classes 12 12 12", ("--original",)),
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, metavar="PATH", help="a checkout of ACL-DGReID")
    parser.add_argument("--fastreid", type=Path, metavar="PATH", help="a checkout of fast-reid")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument(
        "--compare", type=Path, nargs=2, metavar=("A", "B"), help="compare two files, run nothing"
    )
    return parser.parse_args(argv)


def command_of(benchmark: Benchmark, args: argparse.Namespace, output: Path) -> list[str]:
    """Return the command of a benchmark that writes its figures into a file."""
    command = [sys.executable, str(FOLDER / benchmark.script)]
    command += (benchmark.quick if args.quick else benchmark.whole).split()
    paths = {"--fastreid": args.fastreid, "--original": args.original}
    for option in benchmark.beside:
        if paths[option]:
            command += [option, str(paths[option].resolve())]
    return [*command, "--json", str(output)]


def measure(name: str, args: argparse.Namespace, folder: Path) -> list[Result] | None:
    """Run one benchmark; its own output goes to standard error.

    Returns:
        Its figures, named after it, or None if it failed.
    """
    output, start = folder / f"{name}.json", time.monotonic()
    print(f"{name} ...", flush=True)
    command = command_of(BENCHMARKS[name], args, output)
    status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    if status:
        print(f"{name} failed with exit status {status}; its error is above.", file=sys.stderr)
        return None
    _, results = read_results(output)
    return [one._replace(name=f"{name}: {one.name}") for one in results]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks, or compare two files."""
    args = parse_args(argv)
    if args.compare:
        try:
            print(comparison(*args.compare))
        except ValueError as error:
            raise SystemExit(str(error)) from error
        return 0
    results, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            found = measure(name, args, Path(folder))
            if found is None:
                failed.append(name)
            results += found or []
    print(*(f"{name}: {text}" for name, text in describe_machine().items()), sep="\n")
    print(table(results))
    write_results(args.json, results, failed=failed)
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
