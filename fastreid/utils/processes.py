"""Processes that must not outlive the one that started them."""

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


def end_with(parent: int) -> None:
    """Let this process be killed when its parent ends, however that ends.

    Args:
        parent: process id of the parent, as the parent told it; if it has gone already, this
            process ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def leave(code: int) -> NoReturn:
    """End this process at once: MindSpore would wait long for the other processes of the job.

    Args:
        code: exit code.
    """
    logging.shutdown()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)


def is_running(pid: int) -> bool:
    """Tell whether another process runs on this machine.

    Args:
        pid: process id. That of this process is no other one: in a container, the process that had
            it before and was killed often had the same.
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
