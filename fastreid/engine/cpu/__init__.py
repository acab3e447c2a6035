"""MindSpore's threads on a CPU, the cores that they run on, and its memory."""

from .memory import reserve_memory
from .threads import adapts_cores, place_kernels, set_cpu_threads

__all__ = ["adapts_cores", "place_kernels", "reserve_memory", "set_cpu_threads"]
