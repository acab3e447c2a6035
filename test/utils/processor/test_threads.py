import threading

import pytest

from fastreid.utils.machine import num_cores
from fastreid.utils.processor import threads
from fastreid.utils.processor.threads import row_pieces, run_on_threads


@pytest.mark.parametrize("cores", [1, 3])
def test_results_come_in_the_order_of_the_tasks(cores, monkeypatch):
    monkeypatch.setattr(threads, "num_cores", lambda: cores)
    assert run_on_threads(lambda task: task**2, range(50)) == [task**2 for task in range(50)]
    assert run_on_threads(str, []) == []


def test_tasks_run_at_the_same_time(monkeypatch):
    monkeypatch.setattr(threads, "num_cores", lambda: 2)
    meeting = threading.Barrier(2, timeout=20)
    run_on_threads(lambda _: meeting.wait(), range(2))


def test_an_error_of_a_task_reaches_the_caller(monkeypatch):
    monkeypatch.setattr(threads, "num_cores", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        run_on_threads(lambda task: 1 / task, [1, 0])


def test_there_is_at_least_one_core():
    assert num_cores() >= 1


@pytest.mark.parametrize(("cores", "most"), [(1, 100), (3, 100), (2, 4), (64, 7)])
@pytest.mark.parametrize("rows", [slice(0, 0), slice(5, 6), slice(10, 41)])
def test_pieces_cover_the_rows_in_order_and_are_enough_for_all_cores(
    cores, most, rows, monkeypatch
):
    monkeypatch.setattr(threads, "num_cores", lambda: cores)
    pieces = row_pieces(rows, most)
    numbers = list(range(rows.start, rows.stop))
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == numbers
    lengths = [piece.stop - piece.start for piece in pieces]
    assert max(lengths, default=0) <= min(most, max(1, -(-len(numbers) // cores)))
