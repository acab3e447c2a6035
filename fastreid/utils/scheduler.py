"""MindSpore's scheduler: the process that the training processes of a job register with."""

from __future__ import annotations

import os

from .processes import end_with_parent

# Process id of the supervisor that started the scheduler.
SUPERVISOR_VARIABLE = "FASTREID_SUPERVISOR"


def serve() -> None:
    """Run the scheduler until the job ends; environment variables set its address and job size."""
    if SUPERVISOR_VARIABLE in os.environ:
        end_with_parent(int(os.environ[SUPERVISOR_VARIABLE]))
    import mindspore as ms
    from mindspore import communication

    ms.set_device("CPU")
    communication.init()
