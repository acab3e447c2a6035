"""Ending processes: together with their parent, or at once; and checking that one runs."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


def end_with_parent(parent: int) -> None:
    """Make this process end when its parent ends for any reason, also when it is killed.

    Args:
        parent: process id of the parent, passed on by the parent itself. If the parent has ended
            already, this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def exit_now(code: int) -> NoReturn:
    """End this process without MindSpore's exit handlers, which wait for the job's other processes.

    Args:
        code: the exit code.
    """
    logging.shutdown()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)


def is_running(pid: int) -> bool:
    """Return whether another process with this id runs on this machine.

    Args:
        pid: the process id. The id of this process itself gives False: in a container, a killed
            process and its successor often have the same id.
    """
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
