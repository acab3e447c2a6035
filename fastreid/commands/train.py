"""The command ``fastreid-train``, also ``python -m fastreid.commands.train``.

    fastreid-train --config-file configs/Market1501/bagtricks_R50.yml

It has the options of tools/train_net.py. Configuration files under ``configs/`` are installed with
the package and found from every folder.
"""

from __future__ import annotations

import sys
from functools import partial

from fastreid.utils.command_line.command import run_command
from fastreid.utils.command_line.interrupts import end_on_ctrl_c

_NAME = "fastreid-train"


def main() -> int:
    """Train or evaluate, as the arguments of this process say; return the exit code."""
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()
    from .train_net import run

    return run_command(partial(run, prog=_NAME), name=_NAME, stops_at_closed_output=False)


if __name__ == "__main__":
    sys.exit(main())
