"""The common part of the two processes that train_step.py measures.

The first line of standard input is the job, as JSON. Every further line names a task, which is run
once; the task "ready" does nothing. The answer has its time by the clock, the processor's time, and
the memory of the process. Other output goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_KIB_PER_GIB = 2**20


def read_job() -> dict:
    """Read the job: original, config_file, batch, eval_batch, classes, size, opts."""
    return json.loads(sys.stdin.readline())


def serve(tasks: Mapping[str, Callable[[], None]]) -> None:
    """Run the task that each line of standard input names, until it is closed.

    Args:
        tasks: functions by name; a function returns when its results are computed.
    """
    tasks = {"ready": lambda: None, **tasks}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    built = _resident_gib()
    for line in sys.stdin:
        start, cpu_start = time.perf_counter(), time.process_time()
        tasks[line.strip()]()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_GIB
        answer = {"seconds": seconds, "cpu_seconds": cpu_seconds}
        answer.update(peak_gib=peak, above_model_gib=peak - built, resident_gib=_resident_gib())
        answer.update(allocated_gib())
        print(json.dumps(answer), file=answers, flush=True)


def _resident_gib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def allocated_gib() -> dict[str, float]:
    """Ask the allocator of glibc for what it has given out, in small chunks and in mapped ones.

    Returns:
        ``small_gib`` and ``mapped_gib``; empty with another C library.
    """
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return {}
    # Ten sizes: the fifth is of chunks that are mapped each, the eighth of all others.
    mallinfo.restype = type("_", (ctypes.Structure,), {"_fields_": [("_", ctypes.c_size_t * 10)]})
    sizes = mallinfo()._
    return {"small_gib": sizes[7] / 2**30, "mapped_gib": sizes[4] / 2**30}


def targets_of(rows: int, domains: list[int], classes: list[int]) -> tuple[list[int], list[int]]:
    """Make global classes and domains of a batch: two images per identity, domain by domain.

    Args:
        rows: number of images, the same for each domain.
        domains: domains in the batch.
        classes: number of identities of each source domain.
    """
    first = [sum(classes[:i]) for i in range(len(classes))]
    each = rows // len(domains)
    targets = [first[domain] + row // 2 for domain in domains for row in range(each)]
    return targets, [domain for domain in domains for _ in range(each)]
