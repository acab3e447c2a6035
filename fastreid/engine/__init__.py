from . import hooks
from .build import build_trainer
from .clas_trainer import ClasTrainer, classifies
from .defaults import CLASSIFIER_PREFIXES, DefaultTrainer
from .hooks import (
    CallbackHook,
    CheckpointHook,
    EvalHook,
    IterationTimer,
    LRScheduler,
    PeriodicCheckpointer,
    PeriodicWriter,
    TrainingCurves,
)
from .launch import launch
from .meta_trainer import MetaTrainer
from .predictor import DefaultPredictor
from .setup import complete_config, default_argument_parser, default_setup, set_device_and_mode
from .train_loop import HookBase, SimpleTrainer, TrainerBase

__all__ = [
    "CLASSIFIER_PREFIXES",
    "CallbackHook",
    "CheckpointHook",
    "ClasTrainer",
    "DefaultPredictor",
    "DefaultTrainer",
    "EvalHook",
    "HookBase",
    "IterationTimer",
    "LRScheduler",
    "MetaTrainer",
    "PeriodicCheckpointer",
    "PeriodicWriter",
    "SimpleTrainer",
    "TrainerBase",
    "TrainingCurves",
    "build_trainer",
    "classifies",
    "complete_config",
    "default_argument_parser",
    "default_setup",
    "hooks",
    "launch",
    "set_device_and_mode",
]
