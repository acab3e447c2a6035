"""What a run's checkpoints hold beside its weights, and the way back to where it broke off."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastreid.data import ReidDataLoader
from fastreid.utils import comm
from fastreid.utils.checkpoint import Checkpointable, Checkpointer
from fastreid.utils.env import GlobalRandomness

from ..meta_trainer import MetaTrainer
from ..train_loop import SimpleTrainer
from .metrics_file import rewind_metrics
from .run_record import check_resumable

logger = logging.getLogger(__name__)


def checkpointables_of(
    trainer: SimpleTrainer, *, has_loss_scale: bool
) -> dict[str, Checkpointable]:
    """Collect the objects whose states a run needs to go on.

    Args:
        trainer: takes the steps.
        has_loss_scale: whether its loss scale moves, in mixed precision.

    Returns:
        They by the names that checkpoints give them.
    """
    names = ("optimizer", "optimizer_frozen")
    found: dict[str, Checkpointable] = {"randomness": GlobalRandomness()}
    found.update(zip(names, trainer.optimizers))
    if isinstance(trainer, MetaTrainer):
        found["meta_optimizer"] = trainer.meta_optimizer
    if has_loss_scale:
        found["loss_scale"] = trainer.loss_scale
    return found


def places_in_data(loaders: Iterable[ReidDataLoader]) -> dict[str, Any]:
    """Tell where loaders are, for a checkpoint and `return_to_places`.

    Args:
        loaders: in an order that is always the same.
    """
    loaders = list(loaders)
    return {
        "positions": [loader.position for loader in loaders],
        "bookmarks": [loader.sampler_state for loader in loaders],
    }


def return_to_places(loaders: Sequence[ReidDataLoader], state: Mapping[str, Any]) -> None:
    """Let loaders go on where those of an earlier run were.

    Args:
        loaders: in the order of `places_in_data`.
        state: what that gave. Older checkpoints have no bookmarks: samplers draw their past again.

    Raises:
        ValueError: a bookmark is damaged.
    """
    sampler_states = state.get("bookmarks", [None] * len(loaders))
    for loader, position, sampler_state in zip(loaders, state["positions"], sampler_states):
        loader.seek(position, sampler_state=sampler_state)


def finds_checkpoint(checkpointer: Checkpointer, *, resume: bool) -> bool:
    """Tell whether there is a checkpoint to go on from, the same one for all processes.

    Args:
        checkpointer: of the run's folder.
        resume: whether to look for one.

    Raises:
        ValueError: this process finds another one than rank 0.
    """
    name = checkpointer.get_checkpoint_file() if resume else ""
    comm.require_same(
        Path(name).name,
        "the checkpoint to go on from. All processes read it: OUTPUT_DIR must be a folder that "
        "all machines share, or be copied to each.",
    )
    return bool(name)


def load_last(checkpointer: Checkpointer, record: Mapping[str, Any]) -> dict[str, Any]:
    """Load the last checkpoint, and remove what its run wrote into metrics.json after it.

    Args:
        checkpointer: of the run's folder, which has checkpoints.
        record: `record_run` of this run.

    Returns:
        What the run kept beside weights and states.

    Raises:
        ValueError: no checkpoint can be read, or this run cannot go on from it.
    """
    state = checkpointer.resume_or_load("", check=lambda extra: check_resumable(record, extra))
    iteration = state["iteration"]
    comm.require_same(iteration, "the iteration to go on from; a checkpoint is damaged.")
    logger.info("Resumed at iteration %d", iteration)
    again = 0
    if comm.is_main_process():
        again = rewind_metrics(checkpointer.save_dir / "metrics.json", iteration)
    if again:
        logger.info("Removed %d later lines of metrics.json, which come again", again)
    return state
