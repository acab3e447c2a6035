"""Time saving and loading checkpoints: `python benchmarks/checkpoint.py [--folder DIR]`.

Saves and loads the model of configs/bagtricks_DR50_mix.yml (13,726 identities) with the state of
its optimizer, synced to the disk as in training. For comparison, the same number of bytes is
written and synced directly. Also timed is resuming a sampler: from the saved state, and from the
beginning (once), as for a checkpoint without it. The table has seconds of wall-clock time and, in
parentheses, of processor time, which depends less on other load of the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tabulate import tabulate

from benchmarks.results import Result, write_results
from fastreid.config import get_cfg
from fastreid.data.samplers import NaiveIdentitySampler
from fastreid.data.samplers.state import StateHistory
from fastreid.modeling import build_model
from fastreid.solver import build_optimizer
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.env import GlobalRandomness

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "bagtricks_DR50_mix.yml"
CLASSES = (11934, 751, 1041)
# Batches of 64 in 60 epochs of the three sets together.
IMAGES, BATCH, EPOCHS = 80_131, 64, 60


class Times(NamedTuple):
    """Seconds of each repetition of an action, by the clock and of the processor."""

    clock: list[float]
    processor: list[float]

    def __str__(self) -> str:
        return ", ".join(f"{clock:.2f} ({worked:.2f})" for clock, worked in zip(*self))


def seconds(action: Callable[[], object], repeat: int) -> Times:
    """Time an action several times."""
    taken = Times([], [])
    for _ in range(repeat):
        start, worked = time.perf_counter(), time.process_time()
        action()
        taken.clock.append(time.perf_counter() - start)
        taken.processor.append(time.process_time() - worked)
    return taken


def write_plainly(path: Path, size: int) -> None:
    """Write random bytes and sync them to the disk."""
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def resume_sampler(repeat: int) -> list[tuple[str, Times]]:
    """Time a sampler's draws up to the end of the last epoch, with and without a stored state."""
    items = [("", f"a_{i // 6}", f"a_{i % 2}") for i in range(IMAGES)]
    end = IMAGES // BATCH * BATCH * EPOCHS

    def draw(history: StateHistory) -> int:
        sampler = NaiveIdentitySampler(items, BATCH, num_instances=4, seed=0)
        return next(sampler.draw(end, history))

    history = StateHistory()
    drawn = draw(history)
    state = history.last_before(end)
    if state is None:
        raise RuntimeError("The sampler stored no state.")
    if draw(StateHistory(state)) != drawn:
        raise RuntimeError("The sampler did not continue at the same position.")
    again = end - state.start
    return [
        (f"draw {end:,} indices again", seconds(lambda: draw(StateHistory()), 1)),
        (f"the {again:,} since a stored state", seconds(lambda: draw(StateHistory(state)), repeat)),
    ]


def measure(folder: Path, repeat: int) -> list[tuple[str, Times]]:
    """Run all measurements.

    Args:
        folder: folder for the files.
        repeat: number of repetitions.

    Returns:
        Names of the measurements and their times; the size of the file is in the name of the first.
    """
    cfg = get_cfg()
    cfg.merge_from_file(CONFIG)
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = list(CLASSES)
    cfg.freeze()
    model = build_model(cfg)
    optimizer = build_optimizer(cfg, model.trainable_params())
    saver = Checkpointer(model, folder, optimizer=optimizer, randomness=GlobalRandomness())
    path, plain = folder / "model.ckpt", folder / "plain"
    saved = seconds(lambda: saver.save("model"), repeat)
    size = path.stat().st_size
    return [
        (f"save {size / 1e6:.0f} MB", saved),
        ("write and sync as many bytes", seconds(lambda: write_plainly(plain, size), repeat)),
        ("load", seconds(lambda: saver.load(path), repeat)),
        *resume_sampler(repeat),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--repeat", type=int, default=3, help="times of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        found = measure(Path(folder), args.repeat)
    print(tabulate([(name, str(times)) for name, times in found], headers=["", "seconds"]))
    figures = [Result(name, "s", statistics.median(times.clock)) for name, times in found]
    write_results(args.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
