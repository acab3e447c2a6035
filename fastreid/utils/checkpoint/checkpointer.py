"""Save and load training checkpoints: the model and the state of optimizer, samplers and others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from mindspore import nn

from ..comm import is_main_process
from .checkpoint_list import ROLLING, ROLLING_KEPT, CheckpointList
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
    split_key_path,
)

logger = logging.getLogger(__name__)


class Checkpointable(Protocol):
    """An object with a state of arrays, numbers and texts."""

    def state_dict(self) -> State:
        """Return a copy of the state."""

    def load_state_dict(self, state: State) -> None:
        """Restore a state."""


class Checkpointer:
    """Saves and loads a model and other objects.

    Args:
        model: the model; all its parameters are saved, including running statistics.
        save_dir: folder of the checkpoints.
        save_to_disk: whether this process writes; None: only the main process does.
        while_saving: makes the context in which a checkpoint is written, such as one that
            exchanges the weights of the model.
        **checkpointables: other objects with `state_dict` and `load_state_dict`, by name.
    """

    def __init__(
        self,
        model: nn.Cell,
        save_dir: str | Path = "",
        *,
        save_to_disk: bool | None = None,
        while_saving: Callable[[], AbstractContextManager] = nullcontext,
        **checkpointables: Checkpointable,
    ) -> None:
        self.model = model
        self.checkpointables = dict(checkpointables)
        self.save_dir = Path(save_dir)
        self.save_to_disk = is_main_process() if save_to_disk is None else save_to_disk
        self._while_saving = while_saving
        self._list = CheckpointList(self.save_dir)

    def save(self, name: str, *, is_last: bool = True, **extra: Any) -> None:
        """Write ``<save_dir>/<name>.ckpt`` and make it the last checkpoint.

        `last_checkpoint` lists complete files only, at any time. Of the checkpoints whose names
        begin with "model_iter_", the two latest are kept.

        Args:
            name: name of the file, without the suffix.
            is_last: whether a run can be resumed from this file.
            **extra: numbers, texts and lists that are stored in the file, such as the epoch.

        Raises:
            OSError: the file cannot be written; nothing has changed then.
        """
        if not self.save_to_disk:
            return
        self.save_dir.mkdir(parents=True, exist_ok=True)
        path = self.save_dir / f"{name}{CHECKPOINT_SUFFIX}"
        logger.info("Saving checkpoint to %s", path)
        with self._while_saving():
            write_checkpoint(
                path,
                {parameter.name: parameter for parameter in self.model.get_parameters()},
                states={name: value.state_dict() for name, value in self.checkpointables.items()},
                extra=extra,
            )
        if is_last:
            self._list.put_first(path.name, rolling=ROLLING, kept=ROLLING_KEPT)

    def remove_leftovers(self) -> None:
        """Remove incomplete files of killed processes."""
        if self.save_to_disk and self.save_dir.is_dir():
            for name in remove_leftovers(self.save_dir):
                logger.info("Removed %s, the incomplete file of a killed process", name)

    def load(
        self,
        path: str | Path,
        *,
        ignore: Sequence[str] = (),
        weights_only: bool = False,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Load a training checkpoint of this toolbox, or any weights file.

        The kind of the file is detected by its content.

        Args:
            path: a checkpoint of this toolbox, or a weights file, from which only the model is
                loaded. ``file::key`` selects the weights under a key of the file.
            ignore: as in `load_weights`.
            weights_only: whether only the model is loaded.
            check: called with the values that `save` stored as extra, before anything changes; it
                may raise an error.

        Returns:
            The values that `save` stored as extra; empty for a weights file.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: the file is damaged, has an unknown format, or belongs to another model or
                another kind of training.
        """
        logger.info("Loading checkpoint from %s", path)
        file, key_path = split_key_path(path)
        is_ckpt = kind_of(file) is FileKind.CKPT
        if is_ckpt and not (weights_only or key_path):
            try:
                return self._load_training(file, ignore=ignore, check=check)
            except OnlyWeightsError:
                logger.info("%s holds only weights", file)
        content = read_ckpt_weights(file) if is_ckpt else None
        expected = expected_shapes(self.model, ignore=ignore)
        found = [candidate_of_checkpoint(content)] if content else read_candidates(file, expected)
        weights = to_mindspore_weights(
            self.model, choose_weights(found, expected, file, key_path=key_path)
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
        # Converted weights may contain PyTorch's batch counters.
        weights = {k: v for k, v in content.model.items() if not k.endswith(BATCH_COUNTER)}
        load_weights(self.model, weights, source=path, ignore=ignore)
        for name, checkpointable in self.checkpointables.items():
            checkpointable.load_state_dict(content.states[name])
        return content.extra

    def _check_states(self, content: CheckpointContent, path: Path) -> None:
        if content.states.keys() != self.checkpointables.keys():
            raise ValueError(
                f"{path} cannot be resumed: it has the states of {sorted(content.states)}, but "
                f"this run has {sorted(self.checkpointables)}. Resume with the configuration that "
                "wrote the file, or start from its weights with MODEL.WEIGHTS."
            )

    def has_checkpoint(self) -> bool:
        """Return whether save_dir has a last checkpoint."""
        return bool(self._list.read())

    def get_checkpoint_file(self) -> str:
        """Return the path of the last checkpoint, "" if there is none."""
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
        self._list.put_first(last_filename_basename, rolling=ROLLING, kept=ROLLING_KEPT)

    def resume_or_load(
        self,
        path: str | Path,
        *,
        resume: bool = True,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Resume from the last checkpoint; if there is none, load the weights of a file.

        If the last checkpoint is damaged or missing, a warning is logged and the previous one is
        used.

        Args:
            path: file with the initial weights; "" loads nothing.
            resume: whether to look for a last checkpoint.
            check: as in `load`; called for a checkpoint that is resumed.

        Returns:
            The values that `save` stored as extra; empty if no run is resumed.

        Raises:
            ValueError: none of the checkpoints can be read, or the last readable one belongs to
                another model or has only weights.
        """
        names = self._list.resume() if resume else []
        for name in names:
            logger.info("Loading checkpoint from %s", self.save_dir / name)
            try:
                return self._load_training(self.save_dir / name, check=check)
            except OnlyWeightsError:
                raise
            except (FileNotFoundError, DamagedCheckpointError) as error:
                logger.warning("%s Trying the previous checkpoint", error)
        if names:
            raise ValueError(
                f"None of the checkpoints in {self.save_dir} can be read ({', '.join(names)}). To "
                "start from the beginning, omit --resume."
            )
        if path:
            self.load(path, weights_only=True)
        return {}
