"""Measure `tools/extract_features.py` with 1 and 2 workers: `python benchmarks/extraction.py`.

Every measurement is a command of its own, in turn. The speed counts from the first parts, one a
worker, to the last, so that it does not depend on how long the processes take to start.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.results import Result, write_results

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("processes", "ray")
BATCH = 32
_SECONDS_OF_HOUR = 3600.0


class Measurement(NamedTuple):
    """One command.

    Attributes:
        speed: images per second, without the start.
        seconds: of the whole command.
    """

    speed: float
    seconds: float


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Measure the extraction of features with 1 and 2 workers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", help="an exported model; without it, one is exported")
    parser.add_argument(
        "--config-file",
        default=str(ROOT / "configs" / "Market1501" / "bagtricks_R50.yml"),
        help="configuration of the model to export, with random weights",
    )
    parser.add_argument("--images", type=int, default=768, help="number of images")
    parser.add_argument("--part-size", type=int, default=64)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser.parse_args(argv)


def write_images(folder: Path, count: int) -> None:
    """Write JPEG files of 256x128 with coarse random textures."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((128, 256), Image.Resampling.BICUBIC)
        picture.save(folder / f"{index // 10:05d}_c{index % 6}_{index}.jpg", quality=90)


def export(config_file: str, folder: Path) -> Path:
    """Export a model with random weights."""
    from fastreid.config import load_config
    from fastreid.engine import set_device_and_mode
    from fastreid.export import export_model
    from fastreid.modeling import build_model
    from fastreid.utils.checkpoint import Checkpointer

    settings = ["MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "751"]
    settings += ["MODEL.DEVICE", "cpu"]
    cfg = load_config(config_file, settings)
    set_device_and_mode(cfg)
    Checkpointer(build_model(cfg), str(folder)).save("random")
    (cfg.MODEL.WEIGHTS,) = map(str, folder.glob("random*"))
    cfg.freeze()
    export_model(cfg, folder / "model.onnx")
    return folder / "model.onnx"


def measure(command: Sequence[str], output: Path, workers: int) -> Measurement:
    """Run the tool into a new folder."""
    start = time.monotonic()
    # Parts are multiples of a batch, because smaller batches are padded.
    command = [*command, "--output", str(output), "TEST.IMS_PER_BATCH", str(BATCH)]
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - start
    times = sorted(part.stat().st_mtime for part in output.glob("part-*"))
    part_size = int(command[command.index("--part-size") + 1])
    counted = (len(times) - workers) * part_size
    return Measurement(counted / (times[-1] - times[workers - 1]), seconds)


def print_row(engine: str, workers: int, found: list[Measurement]) -> None:
    """Print a row of a table, with a reckoning for larger numbers of images."""
    speed = statistics.median(each.speed for each in found)
    start = statistics.median(each.seconds for each in found)
    hours = [count / speed / _SECONDS_OF_HOUR for count in (1e6, 1e8)]
    print(
        f"| {engine} | {workers} | {speed:.1f} | {start:.0f} s | {hours[0]:.1f} h | "
        f"{hours[1] / 24:.0f} days |",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    args = parse_args(argv)
    if args.part_size % BATCH or args.images % args.part_size:
        raise SystemExit(f"--images must be a multiple of --part-size, and that one of {BATCH}")
    if args.images // args.part_size <= 2 * max(args.workers):
        raise SystemExit("--images must be more than two parts a worker")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = Path(args.model) if args.model else export(args.config_file, folder)
        write_images(folder / "images", args.images)
        base = [sys.executable, str(ROOT / "tools" / "extract_features.py"), "--model", str(model)]
        base += ["--images", str(folder / "images"), "--part-size", str(args.part_size)]
        found: dict[tuple[str, int], list[Measurement]] = {}
        for turn in range(args.rounds):
            for engine in args.engines:
                for workers in args.workers:
                    command = [*base, "--engine", engine, "--num-gpus", str(workers)]
                    output = folder / f"{engine}-{workers}-{turn}"
                    result = measure(command, output, workers)
                    found.setdefault((engine, workers), []).append(result)
        print("| engine | workers | images/s | whole command | a million | a hundred million |")
        print("|---|---|---|---|---|---|")
        for (engine, workers), results in found.items():
            print_row(engine, workers, results)
    speeds = {
        f"{engine}, {workers} workers": statistics.median(each.speed for each in results)
        for (engine, workers), results in found.items()
    }
    write_results(args.json, [Result(name, "images/s", speed) for name, speed in speeds.items()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
