"""MindSpore's scheduler: the process where those that train together meet. It does no work."""

from __future__ import annotations

import os

from .processes import end_with

# Who started this process, and ends it.
SUPERVISOR_VARIABLE = "FASTREID_SUPERVISOR"


def serve() -> None:
    """Be the scheduler until the job ends; the environment says where, and for how many."""
    if SUPERVISOR_VARIABLE in os.environ:
        end_with(int(os.environ[SUPERVISOR_VARIABLE]))
    import mindspore as ms
    from mindspore import communication

    ms.set_device("CPU")
    communication.init()
