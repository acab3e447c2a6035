"""Training with several processes, on one machine or many."""

from .launcher import launch

__all__ = ["launch"]
