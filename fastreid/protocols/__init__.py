"""Evaluation protocols of the field as checked objects, and the runs that fill their tables.

`reading` reads the files of configs/protocols into the objects of `spec`; `settings` and `facts`
compare a run's settings and data with its protocol; `job` and `scheduling` start runs, `execution`
does one of them in the folder that `run_folder` describes; `report` makes the table.
"""

from .job import Check, Job, only_one
from .reading import find_protocol, read_protocol
from .run_folder import RunFolder, is_done
from .settings import METHODS, find_method
from .spec import Cell, Protocol, Route, Run, cells_of, plan_runs

__all__ = [
    "METHODS",
    "Cell",
    "Check",
    "Job",
    "Protocol",
    "Route",
    "Run",
    "RunFolder",
    "cells_of",
    "find_method",
    "find_protocol",
    "is_done",
    "only_one",
    "plan_runs",
    "read_protocol",
]
