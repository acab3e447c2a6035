"""Ctrl-C while a program still loads its modules."""

from __future__ import annotations

import signal


def end_at_once_on_interrupt() -> None:
    """Let Ctrl-C end this process at once, for as long as there is nothing to put in order.

    To be called by a tool before it imports MindSpore, whose modules, broken off half-way, raise
    errors of their own. A process that ignores Ctrl-C goes on to do so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, after `end_at_once_on_interrupt`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
