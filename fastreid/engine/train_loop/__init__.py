"""The training loop with its hooks, and the trainer of ordinary models."""

from .base import HookBase, TrainerBase
from .simple_trainer import SimpleTrainer

__all__ = ["HookBase", "SimpleTrainer", "TrainerBase"]
