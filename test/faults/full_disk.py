"""Checkpoints on a disk that fills up: `python -m test.faults.full_disk FOLDER`.

The folder has room for a few megabytes. Ends with 0 if all is as it should be.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import mindspore as ms

from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer


def main(folder: Path) -> int:
    """Fill the disk with checkpoints, then make room."""
    logging.basicConfig(level="WARNING")
    model = ms.nn.Dense(512, 512, weight_init="ones")
    checkpointer = Checkpointer(model, folder)
    periodic = PeriodicCheckpointer(checkpointer, 0)
    ballast = folder / "ballast"
    periodic.save_rolling(iteration=1)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    room = 3 << 20
    ballast.write_bytes(bytes(room - (1 << 18) - sum(map(len, whole.values()))))
    saved = periodic.save_rolling(iteration=2)
    ballast.unlink()
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    extra = Checkpointer(model, folder).resume_or_load("")
    again = periodic.save_rolling(iteration=3)
    logging.warning("saved %s, unchanged %s, resumed %s", saved, after == whole, extra["iteration"])
    return 0 if (saved, after == whole, extra["iteration"], again) == (False, True, 1, True) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
