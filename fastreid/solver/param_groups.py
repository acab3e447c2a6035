"""Parameter groups: parameters that share a learning rate and a weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mindspore import Parameter

from fastreid.config import CfgNode

_NORM_SCALE = "gamma"
_BIASES = ("beta", "bias")


class ParamGroup(NamedTuple):
    """Parameters with one base rate and one decay."""

    parameters: tuple[Parameter, ...]
    base_lr: float
    weight_decay: float


def get_default_optimizer_params(cfg: CfgNode, parameters: Sequence[Parameter]) -> list[ParamGroup]:
    """Group parameters by the settings of `cfg.SOLVER`.

    Scales of norms decay with WEIGHT_DECAY_NORM, biases with WEIGHT_DECAY_BIAS, other parameters
    with WEIGHT_DECAY; BIAS_LR_FACTOR and HEADS_LR_FACTOR multiply BASE_LR.

    Args:
        cfg: the whole configuration.
        parameters: trainable parameters, with full names from the model's root.

    Returns:
        The groups, in order of first appearance; each parameter is in exactly one.
    """
    groups: dict[tuple[float, float], list[Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(_rate_and_decay(cfg, parameter.name), []).append(parameter)
    return [ParamGroup(tuple(members), lr, decay) for (lr, decay), members in groups.items()]


def _rate_and_decay(cfg: CfgNode, name: str) -> tuple[float, float]:
    solver = cfg.SOLVER
    leaf = name.rpartition(".")[2]
    lr, decay = solver.BASE_LR, solver.WEIGHT_DECAY
    if leaf == _NORM_SCALE:
        decay = solver.WEIGHT_DECAY_NORM
    elif leaf in _BIASES:
        lr, decay = lr * solver.BIAS_LR_FACTOR, solver.WEIGHT_DECAY_BIAS
    if name.startswith("heads."):
        lr *= solver.HEADS_LR_FACTOR
    return lr, decay
