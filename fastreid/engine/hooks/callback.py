"""`CallbackHook`: a hook of plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..train_loop import HookBase, TrainerBase

Callback = Callable[[TrainerBase], Any]


class CallbackHook(HookBase):
    """Call functions at the points of a run; each gets the trainer.

    Args:
        before_train: called once, before the first iteration; None: no call.
        after_train: called once, after the last iteration.
        before_epoch: called before each epoch.
        after_epoch: called after each epoch.
        before_step: called before each iteration.
        after_step: called after each iteration.
    """

    def __init__(
        self,
        *,
        before_train: Callback | None = None,
        after_train: Callback | None = None,
        before_epoch: Callback | None = None,
        after_epoch: Callback | None = None,
        before_step: Callback | None = None,
        after_step: Callback | None = None,
    ) -> None:
        self._callbacks = {
            "before_train": before_train,
            "after_train": after_train,
            "before_epoch": before_epoch,
            "after_epoch": after_epoch,
            "before_step": before_step,
            "after_step": after_step,
        }

    def _call(self, point: str) -> None:
        callback = self._callbacks[point]
        if callback is not None:
            callback(self.trainer)

    def before_train(self) -> None:
        """Call the function that was given for this point."""
        self._call("before_train")

    def after_train(self) -> None:
        """Call the function that was given for this point."""
        self._call("after_train")

    def before_epoch(self) -> None:
        """Call the function that was given for this point."""
        self._call("before_epoch")

    def after_epoch(self) -> None:
        """Call the function that was given for this point."""
        self._call("after_epoch")

    def before_step(self) -> None:
        """Call the function that was given for this point."""
        self._call("before_step")

    def after_step(self) -> None:
        """Call the function that was given for this point."""
        self._call("after_step")
