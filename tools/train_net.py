"""Train or evaluate a person re-identification model.

    python tools/train_net.py --config-file configs/demo.yml SOLVER.MAX_EPOCH 10
    python tools/train_net.py --config-file logs/config.yaml --eval-only MODEL.WEIGHTS W.ckpt

README.md has more examples. `fastreid.commands.train_net` has the code, which the command
`fastreid-train` of an installed package runs too.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from fastreid.commands.train_net import main, run, setup
from fastreid.utils.command_line.command import run_command

__all__ = ["main", "run", "setup"]

if __name__ == "__main__":
    sys.exit(run_command(run, stops_at_closed_output=False))
