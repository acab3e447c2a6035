"""`PreciseBN`: precise running statistics before the last evaluation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.precision_bn import get_bn_modules, update_bn_stats

from ..train_loop import HookBase

logger = logging.getLogger(__name__)


class PreciseBN(HookBase):
    """Recompute the running statistics after the last iteration (`update_bn_stats`).

    Register it before the hooks that evaluate and save.

    Args:
        model: see `update_bn_stats`.
        data_loader: batches of the training set.
        num_iter: number of batches.
        context: makes the context in which they are computed, such as one that exchanges the
            weights of the model.
    """

    def __init__(
        self,
        model: nn.Cell,
        data_loader: Iterable[dict],
        num_iter: int,
        *,
        context: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        if num_iter < 1:
            raise ValueError(f"TEST.PRECISE_BN.NUM_ITER is {num_iter}; it must be at least 1.")
        self._model = model
        self._data_loader = data_loader
        self._num_iter = num_iter
        self._context = context
        self._is_done = False

    def after_epoch(self) -> None:
        """Recompute them if this was the last epoch."""
        if self.trainer.iter == self.trainer.max_iter:
            self.update_stats()

    def after_train(self) -> None:
        """Recompute them where the run ends inside an epoch."""
        if self.trainer.finished and not self._is_done:
            self.update_stats()

    def update_stats(self) -> None:
        """Recompute them now."""
        self._is_done = True
        if not get_bn_modules(self._model):
            logger.info("The model has no running statistics to recompute")
            return
        logger.info("Recomputing running statistics on %d batches", self._num_iter)
        with self._context():
            update_bn_stats(self._model, self._data_loader, self._num_iter)


def precise_bn_config(cfg: CfgNode) -> CfgNode:
    """Return the config of the training loader whose batches `PreciseBN` takes.

    Args:
        cfg: the whole configuration.
    """
    cfg = cfg.clone()
    cfg.defrost()
    # No worker processes: this loader is used once.
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.DATASETS.NAMES = (cfg.TEST.PRECISE_BN.DATASET,)
    cfg.freeze()
    return cfg
