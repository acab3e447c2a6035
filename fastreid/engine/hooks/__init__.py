"""Hooks: timing, learning rates, evaluation, checkpoints, metrics and curves of a run.

A user's own hook subclasses `HookBase`, or passes functions to `CallbackHook`.
"""

from fastreid.evaluation import flatten_results_dict

from .callback import CallbackHook
from .checkpoints import CheckpointHook, PeriodicCheckpointer
from .evaluation import EvalHook
from .learning_rate import LRScheduler
from .metrics import IterationTimer, PeriodicWriter, TrainingCurves
from .moving_average import MovingAverage
from .precise_bn import PreciseBN
from .starvation import StarvationWatch

__all__ = [
    "CallbackHook",
    "CheckpointHook",
    "EvalHook",
    "IterationTimer",
    "LRScheduler",
    "MovingAverage",
    "PeriodicCheckpointer",
    "PeriodicWriter",
    "PreciseBN",
    "StarvationWatch",
    "TrainingCurves",
    "flatten_results_dict",
]
