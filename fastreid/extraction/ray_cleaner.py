"""End what is left of a Ray of this machine when the process that started it has ended.

Ray ends its processes itself, but not all of them if its own process is killed. `watching` starts
this file as a program. When its standard input is closed, it ends the processes that have files in
the folder of the Ray open, and removes the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_SECONDS = 5.0


@contextlib.contextmanager
def watching(folder: str) -> Iterator[None]:
    """Remove a folder and the processes that use it after the block, however this process ends.

    Args:
        folder: folder of a Ray of its own.
    """
    cleaner = subprocess.Popen(
        [sys.executable, __file__, folder, str(os.getpid())],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        cleaner.communicate()


def users(folder: str, *, owner: int) -> list[int]:
    """Return the processes that have a file in a folder open.

    Args:
        folder: absolute path, without symbolic links.
        owner: process that started the Ray, which is left out.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            files = (str(descriptor.readlink()) for descriptor in (process / "fd").iterdir())
            if any(file.startswith(f"{folder}/") for file in files):
                found.append(int(process.name))
    return [pid for pid in found if pid not in (owner, os.getpid())]


def clean(folder: str, *, owner: int) -> None:
    """End the processes that use a folder, and remove it.

    Args:
        folder: absolute path, without symbolic links.
        owner: process that started the Ray, which may go on.
    """
    deadline = time.monotonic() + _SECONDS
    while (pids := users(folder, owner=owner)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    clean(sys.argv[1], owner=int(sys.argv[2]))
