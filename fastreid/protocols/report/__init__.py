"""The report of a protocol: one table of published scores and of ours, in five formats."""

from .files import write_report
from .statistics import Statistic, summarize
from .summary import Row, Summary, summarize_runs
from .text import latex, markdown

__all__ = [
    "Row",
    "Statistic",
    "Summary",
    "latex",
    "markdown",
    "summarize",
    "summarize_runs",
    "write_report",
]
