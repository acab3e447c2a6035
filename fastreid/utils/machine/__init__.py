"""The processors of this machine: how many may be used, who else uses them, what waiting costs.

Nothing here imports NumPy or MindSpore: it runs before them. Files that do not exist, as on other
systems than Linux, count as an unknown value.
"""

from .cores import cpu_quota, num_cores, num_visible_cores, threads_of_each
from .neighbours import busy_elsewhere
from .run_delay import RunDelay, read_run_delay
from .starvation import StarvationMeter
from .time_slice import can_shorten_time_slices, has_short_time_slices, shorten_time_slices

__all__ = [
    "RunDelay",
    "StarvationMeter",
    "busy_elsewhere",
    "can_shorten_time_slices",
    "cpu_quota",
    "has_short_time_slices",
    "num_cores",
    "num_visible_cores",
    "read_run_delay",
    "shorten_time_slices",
    "threads_of_each",
]
