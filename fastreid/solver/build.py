"""Optimizers and learning-rate schedules from the config."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from mindspore import Parameter, nn

from fastreid.config import CfgNode, explicit_config

from .lr_scheduler import (
    WARMUP_METHODS,
    EpochSteps,
    Warmup,
    WarmupCosineAnnealingLR,
    WarmupMultiStepLR,
)
from .optim import RULES, SGD, Adam, Adaptive
from .param_groups import get_default_optimizer_params

logger = logging.getLogger(__name__)

OPTIMIZERS = ("SGD", "Adam", *RULES)
SCHEDULES = ("MultiStepLR", "CosineAnnealingLR")


def build_optimizer(
    cfg: CfgNode, parameters: nn.Cell | Sequence[Parameter], *, with_momentum: bool = True
) -> nn.Cell:
    """Build the optimizer that `SOLVER.OPT` names.

    Args:
        cfg: the whole configuration.
        parameters: parameters to update, with names from the model's root; or a model, for its
            trainable parameters.
        with_momentum: False for ACL's meta optimizer: the same kind, but SGD has no momentum.

    Returns:
        A cell that takes gradients in the order of its `parameters`, with `base_lrs`,
        `learning_rates` (one scalar parameter per group), `set_learning_rates`, `state_dict` and
        `load_state_dict`.

    Raises:
        ValueError: the optimizer is unknown.
    """
    if isinstance(parameters, nn.Cell):
        parameters = parameters.trainable_params()
    groups = get_default_optimizer_params(cfg, parameters)
    if cfg.SOLVER.OPT == "SGD":
        if not with_momentum:
            return SGD(groups)
        return SGD(groups, momentum=cfg.SOLVER.MOMENTUM, nesterov=cfg.SOLVER.NESTEROV)
    if cfg.SOLVER.OPT == "Adam":
        return Adam(groups)
    if cfg.SOLVER.OPT in RULES:
        return Adaptive(groups, name=cfg.SOLVER.OPT)
    raise ValueError(f"SOLVER.OPT {cfg.SOLVER.OPT!r} is unknown; it must be one of {OPTIMIZERS}.")


def warmup_iters(cfg: CfgNode, iters_per_epoch: int) -> int:
    """Compute the length of the warm-up in iterations.

    `SOLVER.WARMUP_EPOCHS` where it is set, else `SOLVER.WARMUP_ITERS` in its `SOLVER.WARMUP_UNIT`.

    Args:
        cfg: the whole configuration.
        iters_per_epoch: iterations in an epoch.

    Returns:
        Iterations.
    """
    solver = explicit_config(cfg).SOLVER
    if solver.WARMUP_EPOCHS >= 0:
        return solver.WARMUP_EPOCHS * iters_per_epoch
    if solver.WARMUP_UNIT == "epoch":
        logger.info(
            "SOLVER.WARMUP_ITERS %d counts epochs (SOLVER.WARMUP_UNIT)", solver.WARMUP_ITERS
        )
        return solver.WARMUP_ITERS * iters_per_epoch
    return solver.WARMUP_ITERS


def build_lr_scheduler(
    cfg: CfgNode, iters_per_epoch: int
) -> WarmupMultiStepLR | WarmupCosineAnnealingLR:
    """Build the learning-rate schedule of `SOLVER`.

    Args:
        cfg: the whole configuration.
        iters_per_epoch: iterations in an epoch.

    Returns:
        An object with ``rate(iteration, base_lr)``.

    Raises:
        ValueError: the schedule or the warm-up method is unknown, or the warm-up leaves no epoch.
    """
    solver = explicit_config(cfg).SOLVER
    if solver.WARMUP_METHOD not in WARMUP_METHODS:
        raise ValueError(
            f"SOLVER.WARMUP_METHOD {solver.WARMUP_METHOD!r} must be one of {WARMUP_METHODS}."
        )
    warmup = Warmup(warmup_iters(cfg, iters_per_epoch), solver.WARMUP_FACTOR, solver.WARMUP_METHOD)
    warmup_epochs = math.ceil(warmup.iters / iters_per_epoch)
    after_warmup = EpochSteps(iters_per_epoch, max(warmup_epochs, solver.DELAY_EPOCHS + 1))
    counts_epochs = solver.WARMUP_UNIT == "epoch" or solver.WARMUP_EPOCHS >= 0
    if counts_epochs and warmup_epochs >= solver.MAX_EPOCH:
        raise ValueError(
            f"The warm-up ({warmup_epochs} epochs) must be shorter than the training "
            f"(SOLVER.MAX_EPOCH {solver.MAX_EPOCH}); set SOLVER.WARMUP_EPOCHS."
        )
    if solver.SCHED == "MultiStepLR":
        from_start = EpochSteps(iters_per_epoch, solver.DELAY_EPOCHS + 1)
        return WarmupMultiStepLR(
            warmup,
            steps=from_start if solver.STEPS_FROM == "start" else after_warmup,
            milestones=solver.STEPS,
            gamma=solver.GAMMA,
        )
    if solver.SCHED == "CosineAnnealingLR":
        t_max = solver.MAX_EPOCH - max(warmup_epochs, solver.DELAY_EPOCHS)
        if t_max <= 0:
            raise ValueError(
                f"SOLVER.MAX_EPOCH ({solver.MAX_EPOCH}) leaves no epoch after the warm-up "
                f"({warmup_epochs} epochs) and SOLVER.DELAY_EPOCHS ({solver.DELAY_EPOCHS}); raise "
                "it, or shorten the warm-up (SOLVER.WARMUP_EPOCHS)."
            )
        return WarmupCosineAnnealingLR(
            warmup, steps=after_warmup, t_max=t_max, eta_min=solver.ETA_MIN_LR
        )
    raise ValueError(f"SOLVER.SCHED {solver.SCHED!r} is unknown; it must be one of {SCHEDULES}.")
