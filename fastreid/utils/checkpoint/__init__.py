"""Checkpoints of a training, and files of weights in every format that people bring."""

from ..file_io import PathManager
from .checkpointer import Checkpointable, Checkpointer, PeriodicCheckpointer

__all__ = ["Checkpointable", "Checkpointer", "PathManager", "PeriodicCheckpointer"]
