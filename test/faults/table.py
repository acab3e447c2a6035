"""What was tried, what survived it, what was lost: a table for the end of a test run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tabulate import tabulate

_rows: dict[str, list[int]] = {}


def record(fault: str, *, survived: bool) -> None:
    """Count one try of a fault."""
    row = _rows.setdefault(fault, [0, 0])
    row[0] += 1
    row[1] += survived


def survive(fault: str, cases: Iterable[Any], check: Callable[[Any], None]) -> None:
    """Try a fault many times; the test fails, after all of them, if any was not survived.

    Args:
        fault: for the table.
        cases: what to try.
        check: raises AssertionError where a case is lost.
    """
    lost = []
    for case in cases:
        before = len(lost)
        try:
            check(case)
        except AssertionError as error:
            lost.append(f"{case!r:.80}: {error!s:.300}")
        record(fault, survived=len(lost) == before)
    assert not lost, f"{len(lost)} lost: {lost[:3]}"


def rows() -> dict[str, list[int]]:
    """Give the counts: fault -> tried and survived."""
    return _rows


def add(counts: dict[str, list[int]]) -> None:
    """Add the counts of another process."""
    for fault, (tried, survived) in counts.items():
        row = _rows.setdefault(fault, [0, 0])
        row[0] += tried
        row[1] += survived


def text() -> str:
    """Give the table; empty if nothing was tried."""
    lines = [
        (fault, tried, survived, tried - survived) for fault, (tried, survived) in _rows.items()
    ]
    if lines:
        lines.append(("all", *(sum(line[i] for line in lines) for i in (1, 2, 3))))
    return tabulate(lines, headers=["fault", "tried", "survived", "lost"]) if lines else ""
