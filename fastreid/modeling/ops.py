"""The Meta cells: layers whose parameters take part in ACL's inner update.

They compute what their plain counterparts compute. What they add is a mark: the meta step moves
the trainable parameters of `MetaCell`s, and of nothing else, from theta to theta' and back
(ACL, ECCV 2022, section 3.4; upstream ``fastreid/modeling/ops.py``).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, initializer

from fastreid.layers import IBN, BatchNorm, Conv2d, InstanceNorm, Linear, SyncBatchNorm


class MetaCell:
    """Mark of a cell whose own trainable parameters the inner update moves."""

    get_parameters: Any  # of the `nn.Cell` that it marks


class MetaConv2d(Conv2d, MetaCell):
    """`Conv2d` under the inner update."""


class MetaLinear(Linear, MetaCell):
    """`Linear` under the inner update."""


class MetaBNNorm(BatchNorm, MetaCell):
    """`BatchNorm`, with its general, hold and eval modes, under the inner update."""


class MetaSyncBNNorm(SyncBatchNorm, MetaCell):
    """`SyncBatchNorm`, with its general, hold and eval modes, under the inner update."""


class MetaINNorm(InstanceNorm, MetaCell):
    """`InstanceNorm` under the inner update."""


MetaIBNNorm = partial(IBN, instance_norm=MetaINNorm, batch_norm=MetaBNNorm)

META_NORMS = {"BN": MetaBNNorm, "syncBN": MetaSyncBNNorm}


def meta_norm(norm: str) -> type[BatchNorm]:
    """Find the batch norm of Meta cells that a config names.

    Args:
        norm: "BN", or "syncBN", whose statistics are over all processes.

    Raises:
        ValueError: for another name.
    """
    if norm not in META_NORMS:
        raise ValueError(
            f"NORM {norm!r} is unknown to ACL's Meta cells; it must be one of {sorted(META_NORMS)}."
        )
    return META_NORMS[norm]


class MetaGate(nn.Cell, MetaCell):
    """The learned mix of the domain-invariant and the domain-specific feature.

    Args:
        feat_dim: C of both features.
    """

    def __init__(self, feat_dim: int) -> None:
        super().__init__()
        self.gate = Parameter(initializer(Normal(0.1), (feat_dim,)))

    def construct(self) -> Tensor:
        """Share of the invariant feature per channel, (C,), in (0, 1)."""
        return ops.sigmoid(self.gate)


class MetaParam(nn.Cell, MetaCell):
    """One learned centre per identity.

    Args:
        feat_dim: D, the feature width.
        num_classes: identities of all source domains together.
    """

    def __init__(self, feat_dim: int, num_classes: int) -> None:
        super().__init__()
        self.centers = Parameter(initializer(Normal(0.01), (num_classes, feat_dim)))

    def construct(self, features: Tensor, targets: Tensor) -> Tensor:
        """Squared euclidean distance of every feature to the centre of its own identity.

        Args:
            features: (N, D).
            targets: (N,) int32 global classes.

        Returns:
            (N,); upstream computes the distances to all centres, of which no loss uses the others.
        """
        differences = features - ops.gather(self.centers, targets, 0)
        return (differences * differences).sum(1)


def meta_parameters(model: nn.Cell) -> list[Parameter]:
    """List the trainable parameters that the inner update moves, in the model's order."""
    return [
        parameter
        for _, cell in model.cells_and_names()
        if isinstance(cell, MetaCell)
        for parameter in cell.get_parameters(expand=False)
        if parameter.requires_grad
    ]
