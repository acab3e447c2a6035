import _thread
import threading
import time

import numpy as np
import pytest

from fastreid.data.common import BATCH_COLUMNS
from fastreid.data.pipeline.prefetcher import Prefetcher


def row(number):
    return tuple(np.full(2, number, np.float32) for _ in BATCH_COLUMNS)


def test_rows_come_in_order_and_end():
    rows = list(Prefetcher(lambda: map(row, range(5))))
    assert [int(columns[0][0]) for columns in rows] == list(range(5))


def test_a_generator_without_rows_gives_no_rows():
    assert list(Prefetcher(lambda: iter(()))) == []


def test_ctrl_c_interrupts_the_wait_for_a_row():
    stalled = threading.Event()

    def rows():
        yield row(0)
        # Longer than anyone waits for Ctrl-C; `close` must not wait for it either.
        stalled.wait(20)

    batches = iter(Prefetcher(rows))
    next(batches)
    timer = threading.Timer(0.3, lambda: (_thread.interrupt_main(), stalled.set()))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    timer.join()
    assert time.monotonic() - began < 5


def test_a_wait_ends_when_another_thread_closes_the_prefetcher():
    stalled = threading.Event()

    def rows():
        stalled.wait(20)
        yield row(0)

    prefetcher = Prefetcher(rows)
    timer = threading.Timer(0.2, lambda: (stalled.set(), prefetcher.close()))
    timer.start()
    assert len(list(prefetcher)) <= 1
    timer.join()
