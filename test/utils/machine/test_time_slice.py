import platform
import subprocess
import sys

import pytest

from fastreid.utils.machine import can_shorten_time_slices, shorten_time_slices
from fastreid.utils.machine.time_slice import SHORTEST_NANOSECONDS

# Beside a loop on the same core: gives the core away again and again, and counts how often it gets
# it back, with the slices of the start and with short ones in turn. Other programs may disturb some
# of these windows, so it goes on until the sums differ or a deadline has passed.
SHARED_CORE = """
import os, subprocess, sys, time
from fastreid.utils.machine import can_shorten_time_slices, shorten_time_slices
from fastreid.utils.machine.time_slice import SHORTEST_NANOSECONDS, _Scheduler
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
code = "print(flush=True)\\nwhile True: pass"
loop = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
counts = [0, 0]
granted = can_shorten_time_slices()
try:
    loop.stdout.readline()
    lengths = [_Scheduler().attributes(0).runtime, SHORTEST_NANOSECONDS] if granted else []
    deadline = time.monotonic() + 30
    while granted and counts[1] <= 2 * counts[0] + 2 and time.monotonic() < deadline:
        for number, length in enumerate(lengths):
            assert shorten_time_slices(length)
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                os.sched_yield()
                counts[number] += 1
finally:
    loop.kill()
    loop.communicate()
print(int(granted), *counts)
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="it needs Linux")
def test_who_gives_its_core_away_gets_it_back_sooner_where_this_is_granted():
    granted, before, after = map(int, run(SHARED_CORE))
    if not granted:
        pytest.skip("this system does not grant time slices")
    assert after > 2 * before


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


def test_elsewhere_nothing_is_asked_for(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert shorten_time_slices() is False
    assert can_shorten_time_slices() is False
