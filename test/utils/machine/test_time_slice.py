import platform
import subprocess
import sys

import pytest

from fastreid.utils.machine import (
    can_shorten_time_slices,
    has_short_time_slices,
    shorten_time_slices,
)
from fastreid.utils.machine.time_slice import SHORTEST_NANOSECONDS


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


THREADS = """
import sys, threading
from fastreid.utils.machine import shorten_time_slices
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for _ in range(3)]
for thread in threads:
    thread.start()
print(int(shorten_time_slices({nanoseconds})))
threads.append(threading.Thread(target=stop.wait))
threads[-1].start()
from fastreid.utils.machine.time_slice import _Scheduler
for thread in (threading.main_thread(), *threads):
    found = _Scheduler().attributes(thread.native_id)
    print(0 if found is None else found.runtime)
stop.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it needs Linux")
def test_what_the_system_does_not_grant_is_reported():
    # Linux has a shortest slice, 0.1 ms.
    granted, *lengths = run(THREADS.format(nanoseconds=1))
    assert granted == "0"
    assert "1" not in lengths


@pytest.mark.skipif(not can_shorten_time_slices(), reason="it needs a system that grants slices")
@pytest.mark.parametrize("nanoseconds", [SHORTEST_NANOSECONDS, 1_000_000])
def test_all_threads_and_later_ones_have_the_slice_that_is_granted(nanoseconds):
    granted, *lengths = run(THREADS.format(nanoseconds=nanoseconds))
    assert granted == "1"
    assert lengths == [str(nanoseconds)] * 5


@pytest.mark.skipif(not can_shorten_time_slices(), reason="it needs a system that grants slices")
def test_a_process_knows_whether_its_slices_are_short():
    code = "from fastreid.utils.machine import has_short_time_slices, shorten_time_slices\n"
    code += "print(has_short_time_slices(), shorten_time_slices(), has_short_time_slices())"
    # A process inherits the slices of the one that starts it.
    assert run(code) == [str(has_short_time_slices()), "True", "True"]


def test_elsewhere_nothing_is_asked_for(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert shorten_time_slices() is False
    assert can_shorten_time_slices() is False
    assert has_short_time_slices() is False
