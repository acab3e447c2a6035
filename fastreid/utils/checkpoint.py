"""Save and load a model together with what training needs to go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mindspore import Tensor, nn, ops

from .checkpoint_file import CheckpointContent, State, read_checkpoint, replacing, write_checkpoint
from .comm import is_main_process
from .torch_weights import BATCH_COUNTER, to_mindspore_weights
from .weights_file import (
    CHECKPOINT_SUFFIX,
    check_suffix,
    is_weights_file,
    read_torch_weights,
)

logger = logging.getLogger(__name__)

_LAST = "last_checkpoint"


class Checkpointable(Protocol):
    """An object with a state of arrays, numbers and texts."""

    def state_dict(self) -> State:
        """Copy the state."""

    def load_state_dict(self, state: State) -> None:
        """Put a state back."""


def load_weights(
    model: nn.Cell,
    weights: Mapping[str, np.ndarray],
    *,
    source: str | Path = "weights",
    ignore: Sequence[str] = (),
) -> None:
    """Load weights exactly, or not at all.

    Args:
        model: gets the weights.
        weights: name in the model -> array of the parameter's shape.
        source: where they come from, for the message.
        ignore: what begins like one of these may be missing, unknown or of another shape; such a
            parameter keeps its value.

    Raises:
        ValueError: naming every tensor that is missing, unknown or of another shape.
    """
    have = {name: tuple(np.shape(value)) for name, value in weights.items()}
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    want = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    problems = {
        "missing": sorted(want.keys() - have.keys()),
        "unexpected": sorted(have.keys() - want.keys()),
        "of another shape": sorted(
            name for name in want if have.get(name, want[name]) != want[name]
        ),
    }
    faults = {
        kind: [name for name in names if not name.startswith(tuple(ignore))]
        for kind, names in problems.items()
    }
    if any(faults.values()):
        raise ValueError(
            f"{source} does not fit the model {type(model).__name__}: "
            f"{_describe(faults, have, want)}. Use the configuration that the weights were "
            "trained with, or other weights."
        )
    left_alone = sorted({name for names in problems.values() for name in names})
    if left_alone:
        logger.info("Not loaded from %s, as asked: %s", source, ", ".join(left_alone))
    for name, parameter in parameters.items():
        if name not in left_alone:
            value = np.ascontiguousarray(weights[name])
            ops.assign(parameter, Tensor(value.reshape(want[name]), dtype=parameter.dtype))


def _describe(
    faults: Mapping[str, list[str]],
    have: Mapping[str, tuple[int, ...]],
    want: Mapping[str, tuple[int, ...]],
) -> str:
    parts = []
    for kind, names in faults.items():
        if names and kind == "of another shape":
            names = [f"{name} {have[name]}, the model has {want[name]}" for name in names]
        if names:
            parts.append(f"{len(names)} {kind}: {'; '.join(names)}")
    return " | ".join(parts)


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

    def save(self, name: str, **extra: Any) -> None:
        """Write ``<save_dir>/<name>.ckpt`` and make it the last checkpoint.

        Args:
            name: of the file, without the suffix.
            **extra: numbers, texts and lists to keep with it, such as the epoch.
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
        with replacing(self.save_dir / _LAST) as temporary:
            temporary.write_text(path.name, encoding="utf-8")

    def load(
        self, path: str | Path, *, ignore: Sequence[str] = (), weights_only: bool = False
    ) -> dict[str, Any]:
        """Load a checkpoint, or PyTorch weights.

        Args:
            path: a ``.ckpt`` of this toolbox, or PyTorch weights (``.pth``, ``.pth.tar``, ``.pt``,
                ``.pkl``, ``.safetensors``), from which only the model is loaded.
            ignore: as in `load_weights`.
            weights_only: leave the other objects alone.

        Returns:
            What `save` was given as extra; nothing for PyTorch weights.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is damaged, of an unknown kind, or of another model or training.
        """
        path = Path(path)
        logger.info("Loading checkpoint from %s", path)
        check_suffix(path)
        if is_weights_file(path):
            weights = to_mindspore_weights(self.model, read_torch_weights(path))
            load_weights(self.model, weights, source=path, ignore=ignore)
            return {}
        content = read_checkpoint(path)
        if not weights_only:
            self._check_states(content, path)
        # Converted weights may have PyTorch's batch counters.
        weights = {k: v for k, v in content.model.items() if not k.endswith(BATCH_COUNTER)}
        load_weights(self.model, weights, source=path, ignore=ignore)
        if not weights_only:
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
        return (self.save_dir / _LAST).is_file()

    def get_checkpoint_file(self) -> str:
        """Give the path of the last checkpoint, "" if there is none."""
        if not self.has_checkpoint():
            return ""
        name = (self.save_dir / _LAST).read_text(encoding="utf-8").strip()
        return str(self.save_dir / name)

    def resume_or_load(self, path: str | Path, *, resume: bool = True) -> dict[str, Any]:
        """Go on from the last checkpoint; where there is none, load only the weights of a file.

        Args:
            path: of the file; "" loads nothing.
            resume: False: do not look for a last checkpoint.

        Returns:
            What `save` was given as extra; nothing if no training goes on.
        """
        if resume and self.has_checkpoint():
            return self.load(self.get_checkpoint_file())
        if path:
            self.load(path, weights_only=True)
        return {}


class PeriodicCheckpointer:
    """Saves every some epochs, when the metric is better than ever, and at the end.

    Args:
        checkpointer: does the saving.
        period: epochs between checkpoints; 0: only the best and the last.
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
            **extra: kept in the checkpoint.
        """
        is_best = metric is not None and (self.best_metric is None or metric > self.best_metric)
        if is_best:
            self.best_metric = metric
        extra = {**extra, "epoch": epoch, "best_metric": self.best_metric}
        # The best comes first, so that the last checkpoint is the one of the period.
        if is_best:
            self.checkpointer.save("model_best", **extra)
        if is_last:
            self.checkpointer.save("model_final", **extra)
        elif self.period > 0 and (epoch + 1) % self.period == 0:
            self.checkpointer.save(f"model_{epoch:04d}", **extra)
