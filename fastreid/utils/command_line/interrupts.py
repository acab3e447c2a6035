"""Ctrl-C (SIGINT) ends a command, whatever it is doing.

Python raises KeyboardInterrupt when the main thread runs Python code. That is too late while a
library computes, and may be never: MindSpore puts handlers of its own in the place of Python's, and
an error that is raised inside of a callback is dropped. So SIGINT is blocked, and a thread waits
for it.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

# What shells report of a program that SIGINT ended.
EXIT_CODE = 130
_THREAD_NAME = "ctrl-c"
# For `finally` blocks of the main thread, and for output that nobody may read.
_UNWIND_SECONDS = 0.7
_FLUSH_SECONDS = 0.3


def end_on_ctrl_c() -> None:
    """Let SIGINT end this process from now on, with one line and exit code 130.

    The process ends at once, or, inside of `unwinding`, when the main thread has left its `with`
    and `finally` blocks. Handlers that are set with `signal.signal` are called instead, in a thread
    of their own. Where SIGINT is ignored, as in background jobs of scripts, it stays so.

    Call it in the main thread before MindSpore is loaded: threads that run already can still
    receive the signal.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_ignored = handler is signal.SIG_IGN
    if not hasattr(signal, "sigwait") or not (is_ignored or handler is signal.default_int_handler):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if not is_ignored and not is_watching():
        threading.Thread(target=_watch, name=_THREAD_NAME, daemon=True).start()


def is_watching() -> bool:
    """Tell whether a thread of this process waits for SIGINT."""
    return any(thread.name == _THREAD_NAME for thread in threading.enumerate())


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """While the block runs, SIGINT raises KeyboardInterrupt, so that temporary files are removed.

    After 0.7 seconds, or a second SIGINT, the process ends nevertheless. Does nothing where
    `end_on_ctrl_c` was not called.
    """
    if not is_watching():
        yield
        return
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _watch() -> None:
    while True:
        signal.sigwait({signal.SIGINT})
        # Python's own table: what MindSpore puts in its place is not in it.
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and handler is not signal.default_int_handler:
            handler(signal.SIGINT, None)
        else:
            _end()


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the interface
    if threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
    _thread.interrupt_main()
    deadline = time.monotonic() + _UNWIND_SECONDS
    while time.monotonic() < deadline and signal.SIGINT not in signal.sigpending():
        time.sleep(0.02)
    _end()


def _end() -> None:
    """End the process; output that is not taken is not waited for long."""
    farewell = threading.Thread(target=_say_what_happened, daemon=True)
    farewell.start()
    farewell.join(_FLUSH_SECONDS)
    os._exit(EXIT_CODE)


def _say_what_happened() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        os.write(2, f"{Path(sys.argv[0]).name}: interrupted\n".encode())
