"""Load ImageNet weights into a backbone: all of them, or none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np
from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.checkpoint.names import export_weights, to_mindspore_weights
from fastreid.utils.checkpoint.recognition.advice import explain_misfit
from fastreid.utils.checkpoint.weights import load_weights

from .files import find_pretrained, read_pretrained
from .rules import PretrainedRules, pretrained_rules

logger = logging.getLogger(__name__)


def load_pretrained(
    model: nn.Cell,
    cfg: CfgNode,
    *,
    adapt: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
) -> None:
    """Load the ImageNet weights of a config into its backbone, if `PRETRAIN` is set.

    Optional tensors (see `PretrainedRules`) keep their start values if the file has none.

    Args:
        model: the backbone.
        cfg: the whole configuration.
        adapt: changes the weights of the file, PyTorch name -> array, with its classifier, to fit
            this model, where that needs more than the rules of the backbone; None: nothing changes.

    Raises:
        FileNotFoundError: if the file is missing; the message says where to put it.
        ValueError: if no file was published and none is given, or if a tensor is missing, unknown
            or of another shape; the message describes the weights and names some of these tensors.
    """
    if not cfg.MODEL.BACKBONE.PRETRAIN:
        return
    rules = pretrained_rules(cfg.MODEL.BACKBONE.NAME)
    path = find_pretrained(cfg)
    start = export_weights(model)
    needed = {k: v.shape for k, v in start.items() if not rules.is_optional(k)}
    weights = read_pretrained(path, needed, rules=rules, adapt=adapt)
    _check(weights, start, rules, source=str(path))
    kept = sorted(start.keys() - weights.keys())
    if kept:
        logger.info("%s has no weights for %d tensors, as %s", path, len(kept), kept[0])
    load_weights(model, to_mindspore_weights(model, {**start, **weights}))
    logger.info("Loaded ImageNet weights from %s", path)


def _check(
    weights: Mapping[str, np.ndarray],
    start: Mapping[str, np.ndarray],
    rules: PretrainedRules,
    *,
    source: str,
) -> None:
    """Raise ValueError unless the weights have the names and shapes of the model."""
    have, want = ({k: tuple(v.shape) for k, v in arrays.items()} for arrays in (weights, start))
    faults = {
        "missing": sorted(k for k in want.keys() - have.keys() if not rules.is_optional(k)),
        "unexpected": sorted(have.keys() - want.keys()),
        "of another shape": sorted(k for k in want if have.get(k, want[k]) != want[k]),
    }
    if any(faults.values()):
        raise ValueError(
            f"The weights of {source} do not fit MODEL.BACKBONE. "
            f"{explain_misfit(have, want, faults)}"
        )
