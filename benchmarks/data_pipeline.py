"""Time decoding, augmentation and batching of the ACL recipe: `python benchmarks/data_pipeline.py`.

Measures this toolbox alone, or in turn with a plain torch DataLoader over PIL (`--torch`) and the
pipeline of a checkout of the PyTorch original (`--original PATH`). All read the same image files,
which are written to a temporary folder. README.md in this folder has results and explains the
columns. Linux only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from benchmarks.contenders import Contender
from benchmarks.pipeline.images import DOMAINS, write_images
from benchmarks.results import Result, write_results
from fastreid.config import CfgNode, get_cfg

_ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = Path(__file__).resolve().parent / "pipeline"
_HEADERS = ("workers", "pipeline", "images/s", "least", "most", "images/s per core", "memory MB")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Time the data pipeline with the ACL recipe's training transforms.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "bagtricks_DR50_mix.yml"))
    parser.add_argument("--torch", action="store_true", help="also time a plain torch DataLoader")
    parser.add_argument("--original", metavar="PATH", help="also time this checkout of ACL-DGReID")
    parser.add_argument(
        "--consumer",
        action="store_true",
        help="also time the main process on ready images",
    )
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2], help="worker processes"
    )
    parser.add_argument("--batch", type=int, default=24, help="images per batch")
    parser.add_argument("--images", type=int, default=400, help="image files of each domain")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each pipeline")
    parser.add_argument("--timed", type=int, default=40, help="batches per measurement")
    parser.add_argument(
        "--warm", type=int, default=18, help="batches before each measurement, more than queued"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser.parse_args(argv)


def recipe_of(cfg: CfgNode) -> dict:
    """Return the parameters of the ACL recipe's training transforms."""
    given = cfg.INPUT
    return {
        "size": list(given.SIZE_TRAIN),
        "autoaug_prob": given.AUTOAUG.PROB if given.AUTOAUG.ENABLED else 0.0,
        "padding": given.PADDING.SIZE if given.PADDING.ENABLED else 0,
        "flip_prob": given.FLIP.PROB if given.FLIP.ENABLED else 0.0,
        "jitter_prob": given.CJ.PROB,
        "brightness": given.CJ.BRIGHTNESS,
        "contrast": given.CJ.CONTRAST,
        "saturation": given.CJ.SATURATION,
        "hue": given.CJ.HUE,
    }


def compare(names: Sequence[str], job: dict, rounds: int) -> dict[str, list[dict]]:
    """Measure pipelines in turn, A B A B, after one warm-up round."""
    contenders = [Contender(_SCRIPTS / f"{name}.py", job) for name in names]
    try:
        for contender in contenders:
            contender.ask("measure")
        measured: dict[str, list[dict]] = {name: [] for name in names}
        for _ in range(rounds):
            for contender in contenders:
                measured[contender.name].append(contender.ask("measure"))
    finally:
        for contender in contenders:
            contender.close()
    return measured


def speeds(measurements: Sequence[dict], seconds: str) -> list[float]:
    """Return the images per second of "wall" or "processor" time of each measurement."""
    return [m["images"] / max(m[seconds], 1e-9) for m in measurements]


def report(num_workers: int, measured: dict[str, list[dict]]) -> tuple[list[list], list[str]]:
    """Return the rows of the table, and a line that compares ours with each other pipeline."""
    rows, ratios = [], []
    for name, found in measured.items():
        wall, core = speeds(found, "wall"), speeds(found, "processor")
        memory = max(m["memory"] for m in found)
        middle = (statistics.median(wall), statistics.median(core))
        rows.append([num_workers, name, middle[0], min(wall), max(wall), middle[1], memory])
        if name not in ("ours", "consumer"):
            ratio = [ours / theirs for ours, theirs in zip((rows[0][2], rows[0][5]), middle)]
            ratios.append(
                f"{num_workers} workers, ours / {name}: {ratio[0]:.2f} times the images per "
                f"second, {ratio[1]:.2f} times per core"
            )
    return rows, ratios


def figures(rows: Sequence[Sequence]) -> list[Result]:
    """Return the figures of the table: speeds of ours, beside those of each other pipeline."""
    ours = {row[0]: row for row in rows if row[1] == "ours"}
    found = []
    for workers, row in ours.items():
        others = [
            other for other in rows if other[0] == workers and other[1] not in ("ours", "consumer")
        ]
        name = f"{workers} workers"
        if not others:
            found.append(Result(name, "images/s", row[2]))
        for other in others:
            program = other[1].replace("_", " ")
            title = f"{name}, beside {program}"
            found.append(Result(title, "images/s", row[2], other[2], program))
    for row in (row for row in rows if row[1] == "consumer"):
        found.append(Result("main process alone, per core", "images/s", row[5]))
        found.append(Result("main process alone", "images/s", row[2]))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure for each number of workers and print the table."""
    args = parse_args(argv)
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    names = ["ours", *["plain_torch"] * args.torch, *["original"] * bool(args.original)]
    rows, ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "items": write_images(Path(folder), args.images),
            "domains": list(DOMAINS),
            "recipe": recipe_of(cfg),
            "config_file": args.config_file,
            "original": args.original and str(Path(args.original).resolve()),
            "batch_size": args.batch,
            "num_warm": args.warm,
            "num_timed": args.timed,
        }
        for num_workers in args.workers:
            measured = compare(names, {**job, "num_workers": num_workers}, args.rounds)
            more_rows, more_ratios = report(num_workers, measured)
            rows += more_rows
            ratios += more_ratios
        if args.consumer:
            measured = compare(["consumer"], {**job, "num_workers": 1}, args.rounds)
            rows += report(1, measured)[0]
    print(tabulate(rows, headers=_HEADERS, floatfmt=".0f"))
    print(*ratios, sep="\n")
    write_results(args.json, figures(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
