"""The trainer that takes the steps, from a config, a model and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.modeling import Phase
from fastreid.solver import build_gradient_clipper, build_optimizer

from .meta_trainer import MetaTrainer
from .setup import uses_mixed_precision
from .steps.loss_scale import LossScale
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
        model: of that configuration.
        data_loader: gives mixed batches without end.
        domain_loaders: one per source domain, where ACL takes meta steps.

    Returns:
        A `MetaTrainer` for a model whose class sets `takes_meta_steps`, else a `SimpleTrainer`.

    Raises:
        ValueError: for frozen layers that do not exist, that meta steps move, or that are all.
    """
    frozen_parts = tuple(cfg.MODEL.FREEZE_LAYERS) if cfg.SOLVER.FREEZE_ITERS > 0 else ()
    if frozen_parts and len(domain_loaders) > 0:
        raise ValueError(
            "SOLVER.FREEZE_ITERS cannot be combined with ACL's meta steps, which move every "
            "part; set it to 0, or SOLVER.META.PERIOD to 0."
        )
    options = {
        "forward": LossForward(model, model.criterion()),
        "optimizers": _build_optimizers(cfg, model, frozen_parts),
        "clipper": build_gradient_clipper(cfg),
        "log_period": cfg.SOLVER.LOG_PERIOD,
        "frozen_parts": frozen_parts,
        "freeze_iters": cfg.SOLVER.FREEZE_ITERS,
        "loss_scale": LossScale(enabled=uses_mixed_precision(cfg)),
    }
    if not getattr(model, "takes_meta_steps", False):
        return SimpleTrainer(model, data_loader, **options)
    meta = cfg.SOLVER.META
    return MetaTrainer(
        model,
        data_loader,
        domain_loaders=domain_loaders,
        meta_train_forward=LossForward(model, model.criterion(Phase.META_TRAIN)),
        meta_test_forward=LossForward(model, model.criterion(Phase.META_TEST)),
        meta_optimizer=build_optimizer(cfg, model.trainable_params(), with_momentum=False),
        period=meta.PERIOD,
        first_basic_steps=meta.FIRST_BASIC_STEPS,
        adaptor_lr_factor=meta.ADAPTOR_LR_FACTOR,
        seed=cfg.SEED,
        **options,
    )


def _build_optimizers(cfg: CfgNode, model: nn.Cell, frozen_parts: tuple[str, ...]) -> list[nn.Cell]:
    """One optimizer, or one for what learns at once and one for what is frozen at first."""
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
            f"MODEL.FREEZE_LAYERS {list(frozen_parts)} leaves nothing to learn; name fewer."
        )
    return [build_optimizer(cfg, group) for group in (learning, frozen) if group]
