"""Ctrl-C in programs that would not end on SIGINT by themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
import ctypes, signal, sys, time
sys.path.insert(0, {root!r})
from fastreid.utils.command_line import interrupts
from fastreid.utils.command_line.interrupts import end_on_ctrl_c, raising_keyboard_interrupt

def ready():
    print("ready", flush=True)

{before}
end_on_ctrl_c()
{body}
"""
DEFAULT = "signal.signal(signal.SIGINT, signal.default_int_handler)"
# Replaces the signal handler, as MindSpore does.
REPLACED_HANDLER = """
ctypes.CDLL(None).signal(signal.SIGINT, ctypes.c_void_p(1))
ready()
time.sleep(60)
"""
LOST_EXCEPTION = """
with raising_keyboard_interrupt():
    reported = False
    while True:
        try:
            reported = reported or ready() or True
            time.sleep(0.02)
        except KeyboardInterrupt:
            print("dropped", flush=True)
"""
TEMPORARY_FILE = """
try:
    with raising_keyboard_interrupt():
        try:
            ready()
            while True:
                time.sleep(0.01)
        finally:
            print("removed", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(3)
"""
OWN_HANDLER = """
signal.signal(signal.SIGINT, lambda *_: print("handled", flush=True))
ready()
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """Start scripts, which end with the test."""
    started = []

    def begin(body, before=DEFAULT):
        script = tmp_path / "tool.py"
        script.write_text(SCRIPT.format(root=str(ROOT), before=before, body=body))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def interrupt(process):
    os.kill(process.pid, signal.SIGINT)


def ending(process):
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_a_program_ends_when_a_library_has_replaced_the_signal_handler(start):
    process = start(REPLACED_HANDLER)
    began = time.monotonic()
    interrupt(process)
    assert ending(process) == (130, "", "tool.py: interrupted\n")
    assert time.monotonic() - began < 5


def test_a_program_ends_when_the_exception_is_lost_in_a_callback(start):
    process = start(LOST_EXCEPTION)
    interrupt(process)
    code, out, err = ending(process)
    assert (code, err) == (130, "tool.py: interrupted\n")


def test_a_second_ctrl_c_ends_the_program_at_once(start):
    process = start(f"interrupts._UNWIND_SECONDS = 600\n{LOST_EXCEPTION}")
    interrupt(process)
    assert process.stdout.readline() == "dropped\n"
    interrupt(process)
    assert ending(process)[0] == 130


def test_temporary_files_are_removed_first(start):
    process = start(TEMPORARY_FILE)
    interrupt(process)
    assert ending(process) == (3, "removed\ninterrupted\n", "")


def test_a_handler_of_the_program_is_called(start):
    process = start(OWN_HANDLER)
    interrupt(process)
    assert process.stdout.readline() == "handled\n"


def test_an_ignored_signal_stays_ignored(start):
    """SIGINT is ignored in background jobs of scripts."""
    process = start(
        "ready()\ntime.sleep(0.5)\nprint('done')",
        before="signal.signal(signal.SIGINT, signal.SIG_IGN)",
    )
    interrupt(process)
    assert ending(process) == (0, "done\n", "")
