import platform
import subprocess
import sys

import pytest

from fastreid.utils.machine import can_shorten_time_slices, shorten_time_slices

# Beside a loop on the same core: gives the core away again and again, and counts for a second how
# often it gets it back.
SHARED_CORE = """
import os, subprocess, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
code = "print(flush=True)\\nwhile True: pass"
loop = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
try:
    loop.stdout.readline()
    counts = []
    for shortened in (False, True):
        if shortened:
            from fastreid.utils.machine import can_shorten_time_slices, shorten_time_slices
            granted = shorten_time_slices()
            assert granted == can_shorten_time_slices()
        end, count = time.monotonic() + 1, 0
        while time.monotonic() < end:
            os.sched_yield()
            count += 1
        counts.append(count)
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
    if granted:
        assert after > 2 * before


THREADS = """
import sys, threading
from fastreid.utils.machine import shorten_time_slices
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for _ in range(3)]
for thread in threads:
    thread.start()
print(int(shorten_time_slices({nanoseconds})))
stop.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it needs Linux")
def test_what_the_system_does_not_grant_is_reported():
    # Linux has a shortest slice, 0.1 ms.
    assert run(THREADS.format(nanoseconds=1)) == ["0"]


def test_elsewhere_nothing_is_asked_for(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert shorten_time_slices() is False
    assert can_shorten_time_slices() is False
