"""Time the features of exported models on synthetic images: `python benchmarks/export.py`.

Measures MindSpore (`DefaultPredictor`), onnxruntime (`fastreid.deploy.Embedder`) and, with
`--fastreid PATH`, the model of a checkout of fast-reid, with the same random weights and images, in
turn (A B C A B C). Each has a process of its own, so that each memory peak is its own. The
largest difference of their features is printed too. Needs onnx and onnxruntime. Linux only: memory
is read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from tabulate import tabulate

from benchmarks.contenders import Contender
from benchmarks.results import Result, write_results

_ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = Path(__file__).resolve().parent / "inference"
_HEADERS = ("run by", "images/s", "least", "most", "start s", "peak GiB", "above model GiB")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", default="configs/Market1501/bagtricks_R50.yml")
    parser.add_argument("--fastreid", type=Path, metavar="PATH", help="a checkout of fast-reid")
    parser.add_argument("--batch", type=int, default=32, help="images at once; default 32")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each; default 5")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="of each; default: the cores"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs for all")
    return parser.parse_args(argv)


def prepare(job: dict) -> None:
    """Write weights, images and the exported model into the folder of the job."""
    command = [sys.executable, str(_SCRIPTS / "prepare.py")]
    subprocess.run(command, input=json.dumps(job), text=True, check=True, stdout=sys.stderr)


def measure(names: Sequence[str], job: dict, rounds: int) -> list[list]:
    """Run every contender once to start and `rounds` times; return the rows of the table."""
    os.environ["OMP_NUM_THREADS"] = str(job["threads"])
    contenders: list[Contender] = []
    try:
        for name in names:
            contenders.append(Contender(_SCRIPTS / f"{name}.py", job))
        first = [contender.ask("features") for contender in contenders]
        found = [[contender.ask("features") for contender in contenders] for _ in range(rounds)]
    finally:
        for contender in contenders:
            contender.close()
    rows = []
    for name, start, answers in zip(names, first, zip(*found)):
        speeds = [job["batch"] / answer["seconds"] for answer in answers]
        middle = [statistics.median(speeds), min(speeds), max(speeds)]
        memory = [answers[-1]["peak_gib"], answers[-1]["above_model_gib"]]
        rows.append([name.replace("by_", ""), *middle, start["seconds"], *memory])
    return rows


def differences(folder: Path, names: Sequence[str]) -> list[str]:
    """Compare the features that the contenders wrote with those of the first."""
    expected = np.load(folder / f"{names[0]}.npy")
    lines = []
    for name in names[1:]:
        error = np.abs(np.load(folder / f"{name}.npy") - expected).max() / np.abs(expected).max()
        lines.append(f"{name}: features differ from {names[0]}'s by {error:.1e} of the largest one")
    return lines


def figures(rows: Sequence[Sequence]) -> list[Result]:
    """Return the figures of the table: ours beside PyTorch's if it was measured."""
    by_name = {row[0]: row for row in rows}
    found = []
    for name in ("mindspore", "onnxruntime"):
        for column, unit, what in ((1, "images/s", "speed"), (5, "GiB", "peak")):
            beside = by_name.get("pytorch")
            other = (beside[column], "fast-reid") if beside else (None, "")
            found.append(Result(f"{name}, {what}", unit, by_name[name][column], *other))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    args = parse_args(argv)
    names = ["by_mindspore", "by_onnxruntime", *["by_pytorch"] * bool(args.fastreid)]
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "folder": folder,
            "fastreid": args.fastreid and str(args.fastreid.resolve()),
            "config_file": args.config_file,
            "root": str(_ROOT),
            "batch": args.batch,
            "threads": args.threads,
            "opts": args.opts,
        }
        prepare(job)
        rows = measure(names, job, args.rounds)
        print(*differences(Path(folder), names), sep="\n")
    print(
        tabulate(rows, headers=_HEADERS, floatfmt=(None, ".1f", ".1f", ".1f", ".1f", ".2f", ".2f"))
    )
    write_results(args.json, figures(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
