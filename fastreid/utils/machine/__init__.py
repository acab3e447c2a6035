"""The processors of this machine: how many may be used, who else uses them, what waiting costs.

Nothing here imports NumPy or MindSpore: it runs before them. Files that do not exist, as on other
systems than Linux, count as an unknown value.
"""

from .core_sharing import CoreSharing, cores_beside_others, describe_cores, is_crowded, share_cores
from .cores import cpu_quota, num_cores, num_visible_cores, threads_of_each, visible_cores
from .kernel_threads import cores_of_rank, keep_kernels_on, kernel_cores, wait_for_kernel_threads
from .neighbours import Busy, BusyMeter, look_around
from .run_delay import RunDelay, read_run_delay
from .time_slice import can_shorten_time_slices, has_short_time_slices, shorten_time_slices

__all__ = [
    "Busy",
    "BusyMeter",
    "CoreSharing",
    "RunDelay",
    "can_shorten_time_slices",
    "cores_beside_others",
    "cores_of_rank",
    "cpu_quota",
    "describe_cores",
    "has_short_time_slices",
    "is_crowded",
    "keep_kernels_on",
    "kernel_cores",
    "look_around",
    "num_cores",
    "num_visible_cores",
    "read_run_delay",
    "share_cores",
    "shorten_time_slices",
    "threads_of_each",
    "visible_cores",
    "wait_for_kernel_threads",
]
