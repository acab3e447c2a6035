"""Run NumPy work on several threads; NumPy releases the GIL in most array operations."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from ..machine import num_cores

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_on_threads(function: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Call a function on every task, on as many threads as there are cores.

    Args:
        function: called with one task; must be thread-safe.
        tasks: any number of tasks.

    Returns:
        The results, in the order of the tasks.
    """
    tasks = list(tasks)
    workers = min(num_cores(), len(tasks))
    if workers < 2:
        return [function(task) for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, tasks))


def row_pieces(rows: slice, most: int) -> list[slice]:
    """Split rows into pieces for `run_on_threads`: a piece for each core at least.

    Args:
        rows: first row, and the row after the last one.
        most: maximum number of rows in a piece.

    Returns:
        Consecutive slices that cover all rows.
    """
    number = rows.stop - rows.start
    step = max(1, min(most, -(-number // num_cores())))
    starts = range(rows.start, rows.stop, step)
    return [slice(start, min(start + step, rows.stop)) for start in starts]
