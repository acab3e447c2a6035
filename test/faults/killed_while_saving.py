"""Processes that are killed while they write checkpoints.

`python -m test.faults.killed_while_saving FOLDER TRIALS` prints how many of them left a folder from
which a run can go on.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import mindspore as ms

from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer
from fastreid.utils.checkpoint.checkpoint_list import CheckpointList
from fastreid.utils.checkpoint.files import read_checkpoint, remove_leftovers

_LONGEST_SECONDS = 0.05
_PATIENCE_SECONDS = 20.0


def save_for_ever(folder: Path) -> None:
    """Write one checkpoint after the other."""
    periodic = PeriodicCheckpointer(Checkpointer(ms.nn.Dense(64, 64), folder), 5)
    epoch = 0
    while True:
        periodic.step(epoch, iteration=epoch)
        epoch += 1


def is_intact(folder: Path) -> bool:
    """Tell whether every checkpoint that is listed can be read, and nothing else is left."""
    names = CheckpointList(folder).read()
    numbers = [read_checkpoint(folder / name).extra["iteration"] for name in names]
    remove_leftovers(folder)
    others = {path.name for path in folder.iterdir()} - {*names, "last_checkpoint"}
    # The newest file may have its place and not yet be in the list, or the oldest still be there.
    return numbers == sorted(numbers, reverse=True) and len(others) <= 1


def trial(folder: Path, delay: float) -> bool:
    """Kill a process a moment after its first checkpoint."""
    folder.mkdir()
    pid = os.fork()
    if not pid:
        save_for_ever(folder)
    patience = time.monotonic() + _PATIENCE_SECONDS
    while not (folder / "last_checkpoint").is_file() and time.monotonic() < patience:
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return is_intact(folder)


def main(folder: Path, trials: int) -> None:
    """Run the trials; the delays are the same ones every time."""
    rng = random.Random(0)
    outcomes = [trial(folder / str(n), rng.uniform(0, _LONGEST_SECONDS)) for n in range(trials)]
    sys.stdout.write(f"{sum(outcomes)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
