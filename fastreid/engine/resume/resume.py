"""The state of a run beside its weights: collected for checkpoints, and restored from them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastreid.data import ReidDataLoader
from fastreid.utils import comm
from fastreid.utils.checkpoint import Checkpointable, Checkpointer
from fastreid.utils.env import GlobalRandomness

from ..train_loop import SimpleTrainer
from .metrics_file import rewind_metrics
from .run_record import check_resumable

logger = logging.getLogger(__name__)


def checkpointables_of(trainer: SimpleTrainer) -> dict[str, Checkpointable]:
    """Collect the objects whose states a resumed run needs.

    Args:
        trainer: the trainer of the run; its model may declare `checkpointables` too.

    Returns:
        The objects by their names in checkpoints.
    """
    of_model = getattr(trainer.model, "checkpointables", {})
    return {"randomness": GlobalRandomness(), **trainer.checkpointables, **of_model}


def loader_states(loaders: Iterable[ReidDataLoader]) -> dict[str, Any]:
    """Collect the positions and sampler states of loaders for a checkpoint.

    Args:
        loaders: the loaders of a run, in an order that is the same in each run.

    Returns:
        The argument of `restore_loader_states`.
    """
    loaders = list(loaders)
    return {
        "positions": [loader.position for loader in loaders],
        # The key is that of release 0.1, whose checkpoints are read too.
        "bookmarks": [loader.sampler_state for loader in loaders],
    }


def restore_loader_states(loaders: Sequence[ReidDataLoader], state: Mapping[str, Any]) -> None:
    """Let loaders continue at the positions of an earlier run's loaders.

    Args:
        loaders: the loaders of this run, in the same order.
        state: result of `loader_states`. Checkpoints of old versions have no sampler states:
            then samplers draw again from the beginning.

    Raises:
        ValueError: a sampler state is damaged.
    """
    sampler_states = state.get("bookmarks", [None] * len(loaders))
    for loader, position, sampler_state in zip(loaders, state["positions"], sampler_states):
        loader.seek(position, sampler_state=sampler_state)


def finds_checkpoint(checkpointer: Checkpointer, *, resume: bool) -> bool:
    """Tell whether there is a checkpoint to resume from, the same one for all processes.

    Args:
        checkpointer: the checkpointer of the run's folder.
        resume: whether to look for a checkpoint.

    Raises:
        ValueError: this process and rank 0 find different checkpoints.
    """
    name = checkpointer.get_checkpoint_file() if resume else ""
    comm.require_same(
        Path(name).name,
        "the checkpoint to resume from. All processes read it: OUTPUT_DIR must be a folder that "
        "all machines share, or be copied to each.",
    )
    return bool(name)


def load_last(checkpointer: Checkpointer, record: Mapping[str, Any]) -> dict[str, Any]:
    """Load the last checkpoint, and remove the later lines of metrics.json.

    Args:
        checkpointer: the checkpointer of the run's folder, which has checkpoints.
        record: `record_run` of this run.

    Returns:
        The values that the run saved beside weights and states.

    Raises:
        ValueError: no checkpoint can be read, or this run cannot resume from it.
    """
    state = checkpointer.resume_or_load("", check=lambda extra: check_resumable(record, extra))
    iteration = state["iteration"]
    comm.require_same(iteration, "the iteration to resume from; a checkpoint is damaged.")
    logger.info("Resumed at iteration %d", iteration)
    removed = 0
    if comm.is_main_process():
        removed = rewind_metrics(checkpointer.save_dir / "metrics.json", iteration)
    if removed:
        logger.info("Removed %d later lines of metrics.json; this run writes them again", removed)
    return state
