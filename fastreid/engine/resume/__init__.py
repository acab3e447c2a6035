"""The state of a run in its checkpoints, and how a run resumes from it."""

from .resume import (
    checkpointables_of,
    finds_checkpoint,
    load_last,
    loader_states,
    restore_loader_states,
)

__all__ = [
    "checkpointables_of",
    "finds_checkpoint",
    "load_last",
    "loader_states",
    "restore_loader_states",
]
