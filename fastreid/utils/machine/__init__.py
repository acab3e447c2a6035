"""The processors of this machine: how many may be used."""

from .cores import cpu_quota, num_cores

__all__ = ["cpu_quota", "num_cores"]
