"""End a command on Ctrl-C (SIGINT) at any time, also during a long call into MindSpore.

Python raises KeyboardInterrupt only when the main thread runs Python code. During a library call
that is late, and it may not happen at all: MindSpore replaces Python's signal handlers, and an
error raised inside a callback is lost. Therefore SIGINT is blocked here, and a thread waits for it.
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

# The exit code that shells report for a program ended by SIGINT.
EXIT_CODE = 130
_THREAD_NAME = "ctrl-c"
# Time limits for the `finally` blocks of the main thread, and for flushing the output.
_UNWIND_SECONDS = 0.7
_FLUSH_SECONDS = 0.3


def end_on_ctrl_c() -> None:
    """Make SIGINT end this process from now on, with one line of output and exit code 130.

    The process ends at once, or, inside of `raising_keyboard_interrupt`, when the main thread has
    left its `with` and `finally` blocks. A handler set with `signal.signal` is called instead, in a
    separate thread. If SIGINT is ignored, as in background jobs of scripts, it stays ignored.

    Call it in the main thread before MindSpore is imported: threads that exist already can still
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
    """Return whether `end_on_ctrl_c` is active in this process."""
    return any(thread.name == _THREAD_NAME for thread in threading.enumerate())


@contextlib.contextmanager
def raising_keyboard_interrupt() -> Iterator[None]:
    """Make SIGINT raise KeyboardInterrupt inside the block, so that temporary files are removed.

    If the main thread still runs 0.7 seconds later, or at a second SIGINT, the process ends.
    Without `end_on_ctrl_c` this context manager has no effect.
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
        # Python's own table of handlers, which does not contain those of MindSpore.
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
    """End the process; flushing the output is abandoned after a short time."""
    printing = threading.Thread(target=_flush_and_print, daemon=True)
    printing.start()
    printing.join(_FLUSH_SECONDS)
    os._exit(EXIT_CODE)


def _flush_and_print() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        os.write(2, f"{Path(sys.argv[0]).name}: interrupted\n".encode())
