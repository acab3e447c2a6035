"""Hooks: timing, learning rates, evaluation, checkpoints, metrics and curves of a run.

A user's own hook subclasses `HookBase`, or passes functions to `CallbackHook`.
"""

from fastreid.evaluation import flatten_results_dict

from .callback import CallbackHook
from .checkpoints import CheckpointHook, PeriodicCheckpointer
from .core_watch import CoreWatch
from .evaluation import EvalHook
from .learning_rate import LRScheduler
from .metrics import IterationTimer, PeriodicWriter, TrainingCurves
from .moving_average import MovingAverage
from .precise_bn import PreciseBN

__all__ = [
    "CallbackHook",
    "CheckpointHook",
    "CoreWatch",
    "EvalHook",
    "IterationTimer",
    "LRScheduler",
    "MovingAverage",
    "PeriodicCheckpointer",
    "PeriodicWriter",
    "PreciseBN",
    "TrainingCurves",
    "flatten_results_dict",
]
