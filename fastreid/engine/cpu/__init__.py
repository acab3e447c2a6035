"""MindSpore's threads on a CPU, the cores that they run on, and its memory."""

from .memory import reserve_memory
from .threads import moves_kernels, place_kernels, set_cpu_threads

__all__ = ["moves_kernels", "place_kernels", "reserve_memory", "set_cpu_threads"]
