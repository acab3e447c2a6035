"""Builds the trainer that a config describes, for a model and its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mindspore import nn

from fastreid.config import CfgNode, explicit_config
from fastreid.layers import running_statistics
from fastreid.modeling import Phase
from fastreid.solver import build_gradient_clipper, build_optimizer
from fastreid.utils.comm import get_world_size

from .freezing import FrozenLayers, frozen_layers
from .meta_trainer import MetaTrainer
from .setup import uses_mixed_precision
from .steps.batch_shards import is_divisible
from .steps.loss_scale import LossScale
from .steps.meta_steps import MetaSteps, PhaseForwards
from .steps.statistics_watch import StatisticsWatch
from .steps.train_step import LossForward
from .train_loop import SimpleTrainer


def build_trainer(
    cfg: CfgNode,
    model: nn.Cell,
    data_loader: Iterable[dict],
    *,
    domain_loaders: Sequence[Iterable[dict]] = (),
    make_optimizer: Callable[[CfgNode, nn.Cell], nn.Cell | Sequence[nn.Cell]] | None = None,
    make_meta_optimizer: Callable[[CfgNode, nn.Cell], nn.Cell] | None = None,
) -> SimpleTrainer:
    """Build the losses, the optimizers, and the trainer over them.

    Args:
        cfg: the whole configuration, with the class counts filled in.
        model: the model of that configuration.
        data_loader: endless iterable of batches of all domains.
        domain_loaders: for each source domain an endless iterable of its batches; empty without
            meta steps.
        make_optimizer: builds the optimizer of basic steps; None: `build_optimizers`.
        make_meta_optimizer: builds the optimizer of meta steps; None: `build_meta_optimizer`.

    Returns:
        A `MetaTrainer` for a model whose class sets `takes_meta_steps`, else a `SimpleTrainer`. For
        a model without that declaration, SOLVER.META.PERIOD decides.

    Raises:
        ValueError: a frozen layer does not exist, no layer is left to learn, layers are frozen in a
            training with meta steps, or frozen layers have no optimizer of their own.
    """
    frozen = frozen_layers(cfg, model)
    if cfg.SOLVER.FREEZE_ITERS > 0 and cfg.MODEL.FREEZE_LAYERS and len(domain_loaders) > 0:
        raise ValueError(
            "SOLVER.FREEZE_ITERS cannot be combined with ACL's meta steps, which update every "
            "part; set it to 0, or SOLVER.META.PERIOD to 0."
        )
    optimizers = (make_optimizer or build_optimizers)(cfg, model)
    optimizers = list(optimizers) if isinstance(optimizers, Sequence) else [optimizers]
    _check_first_optimizer(optimizers[0], frozen)
    _check_accumulation(cfg, model)
    forward = LossForward(model, _basic_criterion(model))
    shared: dict[str, Any] = {
        "optimizers": optimizers,
        "clipper": build_gradient_clipper(cfg),
        "loss_scale": LossScale(enabled=uses_mixed_precision(cfg)),
        "watch": StatisticsWatch(running_statistics(model)),
    }
    options = {
        "forward": forward,
        "log_period": cfg.SOLVER.LOG_PERIOD,
        "frozen_parts": frozen.parts,
        "freeze_iters": cfg.SOLVER.FREEZE_ITERS if cfg.MODEL.FREEZE_LAYERS else 0,
        **shared,
    }
    if not getattr(model, "takes_meta_steps", cfg.SOLVER.META.PERIOD > 0):
        return SimpleTrainer(model, data_loader, accumulate=cfg.SOLVER.ACCUMULATE, **options)
    meta_optimizer = (make_meta_optimizer or build_meta_optimizer)(cfg, model)
    meta = cfg.SOLVER.META
    return MetaTrainer(
        model,
        data_loader,
        domain_loaders=domain_loaders,
        meta_steps=_build_meta_steps(cfg, model, forward, meta_optimizer, shared),
        period=meta.PERIOD,
        first_basic_steps=meta.FIRST_BASIC_STEPS,
        seed=cfg.SEED,
        **options,
    )


def _basic_criterion(model: nn.Cell) -> nn.Cell:
    """Return the losses of basic steps; models written for release 0.1 must be given the phase."""
    takes_phase = len(inspect.signature(model.criterion).parameters) > 0
    return model.criterion(Phase.BASIC) if takes_phase else model.criterion()


def _build_meta_steps(
    cfg: CfgNode,
    model: nn.Cell,
    forward: LossForward,
    meta_optimizer: nn.Cell,
    shared: Mapping[str, Any],
) -> MetaSteps:
    forwards = PhaseForwards(
        basic=forward,
        meta_train=LossForward(model, model.criterion(Phase.META_TRAIN)),
        meta_test=LossForward(model, model.criterion(Phase.META_TEST)),
    )
    return MetaSteps(
        forwards,
        meta_optimizer=meta_optimizer,
        adaptor_lr_factor=cfg.SOLVER.META.ADAPTOR_LR_FACTOR,
        **shared,
    )


def build_optimizers(cfg: CfgNode, model: nn.Cell) -> list[nn.Cell]:
    """Build the optimizers of basic steps.

    Args:
        cfg: the whole configuration.
        model: the model of that configuration.

    Returns:
        One optimizer; two if MODEL.FREEZE_LAYERS freezes parts of the model at first, the second
        one for these parts.

    Raises:
        ValueError: a frozen layer does not exist, or no layer is left to learn.
    """
    layers, parameters = frozen_layers(cfg, model), model.trainable_params()
    frozen = [parameter for parameter in parameters if layers.has(parameter)]
    learning = [parameter for parameter in parameters if not layers.has(parameter)]
    if not learning:
        raise ValueError(
            f"MODEL.FREEZE_LAYERS {list(cfg.MODEL.FREEZE_LAYERS)} freezes every parameter; name "
            "fewer layers."
        )
    return [build_optimizer(cfg, group) for group in (learning, frozen) if group]


def build_meta_optimizer(cfg: CfgNode, model: nn.Cell) -> nn.Cell:
    """Build the optimizer of ACL's meta steps: of the kind that SOLVER.OPT names, without momentum.

    Args:
        cfg: the whole configuration.
        model: the model of that configuration.

    Returns:
        An optimizer over all trainable parameters.
    """
    return build_optimizer(cfg, model.trainable_params(), with_momentum=False)


def _check_first_optimizer(optimizer: nn.Cell, frozen: FrozenLayers) -> None:
    if any(frozen.has(parameter) for parameter in optimizer.parameters):
        raise ValueError(
            "SOLVER.FREEZE_ITERS needs two optimizers, the second one for the parts of "
            "MODEL.FREEZE_LAYERS, but the first one that build_optimizer returned updates these."
        )


def _check_accumulation(cfg: CfgNode, model: nn.Cell) -> None:
    if cfg.SOLVER.ACCUMULATE == 1:
        return
    if getattr(model, "takes_meta_steps", False):
        raise ValueError("SOLVER.ACCUMULATE must be 1 for ACL.")
    explicit = explicit_config(cfg)
    if not is_divisible(explicit, cfg.SOLVER.IMS_PER_BATCH):
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH ({cfg.SOLVER.IMS_PER_BATCH}) must be a multiple of "
            f"SOLVER.ACCUMULATE ({cfg.SOLVER.ACCUMULATE}) times the number of processes "
            f"({get_world_size()}), and, for samplers that draw identities, times "
            f"DATALOADER.NUM_INSTANCE ({cfg.DATALOADER.NUM_INSTANCE})."
        )
