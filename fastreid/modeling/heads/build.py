"""The registry of heads, which compute embeddings and logits from feature maps."""

from __future__ import annotations

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.registry import Registry

REID_HEADS_REGISTRY = Registry("HEADS")


def build_heads(cfg: CfgNode) -> nn.Cell:
    """Build the head of `MODEL.HEADS.NAME`."""
    return REID_HEADS_REGISTRY.get(cfg.MODEL.HEADS.NAME)(cfg)


def classifier_prefixes(model: nn.Cell | None = None) -> tuple[str, ...]:
    """List prefixes of the parameters whose shapes depend on the training identities.

    Heads declare them by `classifier_names`. Names of all registered heads count, so weights of a
    model with another head are recognised.

    Args:
        model: may have heads in other places than its part `heads`; None: no model.

    Returns:
        Prefixes of parameter names, such as ``heads.weight``.
    """
    heads = [("heads", head) for _, head in REID_HEADS_REGISTRY]
    if model is not None:
        heads += list(model.cells_and_names())
    return tuple(
        dict.fromkeys(
            f"{path}.{name}"
            for path, head in heads
            for name in getattr(head, "classifier_names", ())
        )
    )


def unused_in_evaluation(model: nn.Cell) -> tuple[str, ...]:
    """List prefixes of the parameters that an evaluation does without.

    They are those of `classifier_prefixes`, except in heads that declare `gives_logits`.

    Args:
        model: the model that is evaluated.

    Returns:
        Prefixes of parameter names.
    """
    needed = tuple(
        f"{path}." for path, cell in model.cells_and_names() if getattr(cell, "gives_logits", False)
    )
    return tuple(prefix for prefix in classifier_prefixes(model) if not prefix.startswith(needed))
