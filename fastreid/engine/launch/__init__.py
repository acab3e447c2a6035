"""Several processes, on one machine or many, that train as one."""

from .launcher import launch

__all__ = ["launch"]
