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
