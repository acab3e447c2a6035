"""What MindSpore needs to be told on a CPU: its threads, the cores that they run on, its memory."""

from .memory import reserve_memory
from .threads import adapts_cores, place_kernels, set_cpu_threads

__all__ = ["adapts_cores", "place_kernels", "reserve_memory", "set_cpu_threads"]
