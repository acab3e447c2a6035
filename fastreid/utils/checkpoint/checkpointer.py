"""Save and load a model together with what training needs to go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mindspore import nn

from ..comm import is_main_process
from .checkpoint_list import CheckpointList
from .expected_weights import expected_shapes
from .files import (
    CheckpointContent,
    DamagedCheckpointError,
    OnlyWeightsError,
    State,
    read_checkpoint,
    read_ckpt_weights,
    remove_leftovers,
    write_checkpoint,
)
from .formats.file_kinds import FileKind, kind_of
from .names import BATCH_COUNTER, to_mindspore_weights
from .weights import load_weights
from .weights_file import (
    CHECKPOINT_SUFFIX,
    candidate_of_checkpoint,
    choose_weights,
    read_candidates,
    split_place,
)

logger = logging.getLogger(__name__)

# Of the checkpoints between those of a period, the last ones stay.
_ROLLING = "model_iter_"
_ROLLING_KEPT = 2


class Checkpointable(Protocol):
    """An object with a state of arrays, numbers and texts."""

    def state_dict(self) -> State:
        """Copy the state."""

    def load_state_dict(self, state: State) -> None:
        """Put a state back."""


class Checkpointer:
    """Saves and loads a model and other objects.

    Args:
        model: whose parameters, running statistics included, are saved.
        save_dir: folder of the checkpoints.
        save_to_disk: whether to write at all; by default only the main process does.
        **checkpointables: objects with `state_dict` and `load_state_dict`, by name.
    """

    def __init__(
        self,
        model: nn.Cell,
        save_dir: str | Path = "",
        *,
        save_to_disk: bool | None = None,
        **checkpointables: Checkpointable,
    ) -> None:
        self.model = model
        self.checkpointables = dict(checkpointables)
        self.save_dir = Path(save_dir)
        self.save_to_disk = is_main_process() if save_to_disk is None else save_to_disk
        self._list = CheckpointList(self.save_dir)

    def save(self, name: str, *, is_last: bool = True, **extra: Any) -> None:
        """Write ``<save_dir>/<name>.ckpt`` and make it the last checkpoint.

        At every moment `last_checkpoint` names complete files only. Older ones whose names begin
        with "model_iter_" are removed, but for the one before.

        Args:
            name: of the file, without the suffix.
            is_last: False: resuming never starts from this file.
            **extra: numbers, texts and lists to keep with it, such as the epoch.

        Raises:
            OSError: it cannot be written; nothing changed then.
        """
        if not self.save_to_disk:
            return
        self.save_dir.mkdir(parents=True, exist_ok=True)
        path = self.save_dir / f"{name}{CHECKPOINT_SUFFIX}"
        logger.info("Saving checkpoint to %s", path)
        write_checkpoint(
            path,
            {parameter.name: parameter for parameter in self.model.get_parameters()},
            states={name: value.state_dict() for name, value in self.checkpointables.items()},
            extra=extra,
        )
        if is_last:
            self._list.put_first(path.name, rolling=_ROLLING, kept=_ROLLING_KEPT)

    def remove_leftovers(self) -> None:
        """Remove half-written files of processes that were killed."""
        if self.save_to_disk and self.save_dir.is_dir():
            for name in remove_leftovers(self.save_dir):
                logger.info("Removed %s, half-written when its process ended", name)

    def load(
        self,
        path: str | Path,
        *,
        ignore: Sequence[str] = (),
        weights_only: bool = False,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Load a checkpoint of this toolbox, or any file of weights; the content decides which.

        Args:
            path: a checkpoint of this toolbox, or a file as `read_torch_weights` reads it, from
                which only the model is loaded. ``::`` and a place behind it name the weights in
                the file that are meant.
            ignore: as in `load_weights`.
            weights_only: leave the other objects alone.
            check: gets what `save` was given as extra, before anything changes; may refuse it.

        Returns:
            What `save` was given as extra; nothing of a file that holds only weights.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is damaged, of an unknown kind, or of another model or training.
        """
        logger.info("Loading checkpoint from %s", path)
        file, place = split_place(path)
        is_ckpt = kind_of(file) is FileKind.CKPT
        if is_ckpt and not (weights_only or place):
            try:
                return self._load_training(file, ignore=ignore, check=check)
            except OnlyWeightsError:
                logger.info("%s holds only weights", file)
        content = read_ckpt_weights(file) if is_ckpt else None
        expected = expected_shapes(self.model, ignore=ignore)
        found = [candidate_of_checkpoint(content)] if content else read_candidates(file, expected)
        weights = to_mindspore_weights(
            self.model, choose_weights(found, expected, file, place=place)
        )
        load_weights(self.model, weights, source=path, ignore=ignore)
        return content.extra if content else {}

    def _load_training(
        self,
        path: Path,
        *,
        ignore: Sequence[str] = (),
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Load the model and all other objects."""
        content = read_checkpoint(path)
        if check is not None:
            check(content.extra)
        self._check_states(content, path)
        # Converted weights may have PyTorch's batch counters.
        weights = {k: v for k, v in content.model.items() if not k.endswith(BATCH_COUNTER)}
        load_weights(self.model, weights, source=path, ignore=ignore)
        for name, checkpointable in self.checkpointables.items():
            checkpointable.load_state_dict(content.states[name])
        return content.extra

    def _check_states(self, content: CheckpointContent, path: Path) -> None:
        if content.states.keys() != self.checkpointables.keys():
            raise ValueError(
                f"{path} cannot be resumed: it holds the states of {sorted(content.states)}, but "
                f"this run has {sorted(self.checkpointables)}. Resume with the configuration that "
                "wrote it, or start from its weights with MODEL.WEIGHTS."
            )

    def has_checkpoint(self) -> bool:
        """Tell whether save_dir has a last checkpoint."""
        return bool(self._list.read())

    def get_checkpoint_file(self) -> str:
        """Give the path of the last checkpoint, "" if there is none."""
        names = self._list.read()
        return str(self.save_dir / names[0]) if names else ""

    def get_all_checkpoint_files(self) -> list[str]:
        """Return the paths of all checkpoints in save_dir, sorted by name."""
        return sorted(str(path) for path in self.save_dir.glob(f"model_*{CHECKPOINT_SUFFIX}"))

    def tag_last_checkpoint(self, last_filename_basename: str) -> None:
        """Make a file the one that a run resumes from.

        Args:
            last_filename_basename: name of a checkpoint in save_dir, with its suffix.
        """
        self._list.put_first(last_filename_basename, rolling=_ROLLING, kept=_ROLLING_KEPT)

    def resume_or_load(
        self,
        path: str | Path,
        *,
        resume: bool = True,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Go on from the last checkpoint; where there is none, load only the weights of a file.

        A damaged or missing checkpoint is reported, and the one before it is used.

        Args:
            path: of the file; "" loads nothing.
            resume: False: do not look for a last checkpoint.
            check: as in `load`, for a checkpoint to go on from.

        Returns:
            What `save` was given as extra; nothing if no training goes on.

        Raises:
            ValueError: there are checkpoints, but none can be read, or the last one that can does
                not fit or holds only weights.
        """
        names = self._list.resume() if resume else []
        for name in names:
            logger.info("Loading checkpoint from %s", self.save_dir / name)
            try:
                return self._load_training(self.save_dir / name, check=check)
            except OnlyWeightsError:
                raise
            except (FileNotFoundError, DamagedCheckpointError) as error:
                logger.warning("%s Trying the checkpoint before it", error)
        if names:
            raise ValueError(
                f"None of the checkpoints in {self.save_dir} can be read ({', '.join(names)}). To "
                "start afresh, leave --resume out."
            )
        if path:
            self.load(path, weights_only=True)
        return {}


class PeriodicCheckpointer:
    """Saves after every epoch: for good every some epochs, when the metric is better, at the end.

    What is not kept for good is one of the last two, model_iter_<iteration>. Where the disk is
    full or gone, a warning says so and training goes on.

    Args:
        checkpointer: does the saving.
        period: epochs between checkpoints that stay; 0: only the best and the last.
        best_metric: the best value of a resumed run, which every checkpoint holds as
            "best_metric"; None before the first.
    """

    def __init__(
        self, checkpointer: Checkpointer, period: int, *, best_metric: float | None = None
    ) -> None:
        self.checkpointer = checkpointer
        self.period = period
        self.best_metric = best_metric

    def step(
        self, epoch: int, *, metric: float | None = None, is_last: bool = False, **extra: Any
    ) -> None:
        """Save what is due after an epoch: model_best, model_0004 (the fifth), model_final.

        Args:
            epoch: from 0.
            metric: decides what is best; None: not evaluated.
            is_last: training ends here.
            **extra: kept in the checkpoint; "iteration" is among it.

        Raises:
            OSError: the last one cannot be written.
        """
        is_best = metric is not None and (self.best_metric is None or metric > self.best_metric)
        extra["epoch"] = epoch
        # The best comes first, so that the last checkpoint is the one of the period.
        if is_best and self._try("model_best", **extra, best_metric=metric):
            self.best_metric = metric
        if is_last:
            self.checkpointer.save("model_final", **extra, best_metric=self.best_metric)
        elif self.period > 0 and (epoch + 1) % self.period == 0:
            self._try(f"model_{epoch:04d}", **extra, best_metric=self.best_metric)
        else:
            self.save_rolling(**extra)

    def save_rolling(self, *, iteration: int, **extra: Any) -> bool:
        """Save one of the last two.

        Args:
            iteration: iterations done.
            **extra: kept in the checkpoint.

        Returns:
            Whether it was written.
        """
        name = f"{_ROLLING}{iteration:07d}"
        return self._try(name, iteration=iteration, **extra, best_metric=self.best_metric)

    def _try(self, name: str, **extra: Any) -> bool:
        try:
            self.checkpointer.save(name, **extra)
        except OSError as error:
            logger.warning(
                "Cannot save %s: %s. The checkpoints before it are whole, and training goes on; "
                "make room before the next one is due",
                *(name, error),
            )
            return False
        return True
