"""Builds the trainer that a config describes, for a model and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.layers import running_statistics
from fastreid.modeling import Phase
from fastreid.solver import build_gradient_clipper, build_optimizer

from .meta_trainer import MetaTrainer
from .setup import uses_mixed_precision
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
) -> SimpleTrainer:
    """Build the losses, the optimizers, and the trainer over them.

    Args:
        cfg: the whole configuration, with the class counts filled in.
        model: the model of that configuration.
        data_loader: endless iterable of batches of all domains.
        domain_loaders: for each source domain an endless iterable of its batches; empty without
            meta steps.

    Returns:
        A `MetaTrainer` for a model whose class sets `takes_meta_steps`, else a `SimpleTrainer`.

    Raises:
        ValueError: a frozen layer does not exist, no layer is left to learn, or layers are frozen
            in a training with meta steps.
    """
    frozen_parts = tuple(cfg.MODEL.FREEZE_LAYERS) if cfg.SOLVER.FREEZE_ITERS > 0 else ()
    if frozen_parts and len(domain_loaders) > 0:
        raise ValueError(
            "SOLVER.FREEZE_ITERS cannot be combined with ACL's meta steps, which update every "
            "part; set it to 0, or SOLVER.META.PERIOD to 0."
        )
    forward = LossForward(model, model.criterion())
    shared = {
        "optimizers": _build_optimizers(cfg, model, frozen_parts),
        "clipper": build_gradient_clipper(cfg),
        "loss_scale": LossScale(enabled=uses_mixed_precision(cfg)),
        "watch": StatisticsWatch(running_statistics(model)),
    }
    options = {
        "forward": forward,
        "log_period": cfg.SOLVER.LOG_PERIOD,
        "frozen_parts": frozen_parts,
        "freeze_iters": cfg.SOLVER.FREEZE_ITERS,
        **shared,
    }
    if not getattr(model, "takes_meta_steps", False):
        return SimpleTrainer(model, data_loader, **options)
    meta = cfg.SOLVER.META
    meta_steps = MetaSteps(
        PhaseForwards(
            basic=forward,
            meta_train=LossForward(model, model.criterion(Phase.META_TRAIN)),
            meta_test=LossForward(model, model.criterion(Phase.META_TEST)),
        ),
        meta_optimizer=build_optimizer(cfg, model.trainable_params(), with_momentum=False),
        adaptor_lr_factor=meta.ADAPTOR_LR_FACTOR,
        **shared,
    )
    return MetaTrainer(
        model,
        data_loader,
        domain_loaders=domain_loaders,
        meta_steps=meta_steps,
        period=meta.PERIOD,
        first_basic_steps=meta.FIRST_BASIC_STEPS,
        seed=cfg.SEED,
        **options,
    )


def _build_optimizers(cfg: CfgNode, model: nn.Cell, frozen_parts: tuple[str, ...]) -> list[nn.Cell]:
    """Build one optimizer, or one for the parts that learn from the start and one for the rest."""
    parts = list(model.name_cells())
    for part in frozen_parts:
        if part not in parts:
            raise ValueError(
                f"MODEL.FREEZE_LAYERS names {part!r}, which the model does not have; its parts "
                f"are {parts}."
            )
    parameters = model.trainable_params()
    prefixes = tuple(f"{part}." for part in frozen_parts)
    frozen = [p for p in parameters if prefixes and p.name.startswith(prefixes)]
    frozen_ids = {id(parameter) for parameter in frozen}
    learning = [p for p in parameters if id(p) not in frozen_ids]
    if not learning:
        raise ValueError(
            f"MODEL.FREEZE_LAYERS {list(frozen_parts)} freezes every parameter; name fewer layers."
        )
    return [build_optimizer(cfg, group) for group in (learning, frozen) if group]
