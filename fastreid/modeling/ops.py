"""The Meta cells: layers whose parameters take part in ACL's inner update.

A Meta cell computes the same as its plain counterpart. The class marks it: the meta step moves the
trainable parameters of `MetaCell`s, and no others, from theta to theta' and back (ACL, ECCV 2022,
section 3.4; upstream ``fastreid/modeling/ops.py``).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, initializer

from fastreid.layers import IBN, BatchNorm, Conv2d, InstanceNorm, Linear, SyncBatchNorm


class MetaCell:
    """Marks a cell whose own trainable parameters the inner update moves."""

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
    """Look up the batch norm of Meta cells by its name in the config.

    Args:
        norm: "BN", or "syncBN", which has statistics over all processes.

    Raises:
        ValueError: for another name.
    """
    if norm not in META_NORMS:
        raise ValueError(
            f"NORM {norm!r} is unknown to ACL's Meta cells; it must be one of {sorted(META_NORMS)}."
        )
    return META_NORMS[norm]


class MetaGate(nn.Cell, MetaCell):
    """The learned weight between the domain-invariant and the domain-specific feature.

    Args:
        feat_dim: C of both features.
    """

    def __init__(self, feat_dim: int) -> None:
        super().__init__()
        self.gate = Parameter(initializer(Normal(0.1), (feat_dim,)))

    def construct(self) -> Tensor:
        """Weight of the invariant feature for each channel, (C,), in (0, 1)."""
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
            (N,). Upstream computes the distances to all centres; no loss uses the others.
        """
        differences = features - ops.gather(self.centers, targets, 0)
        return (differences * differences).sum(1)


def meta_parameters(model: nn.Cell) -> list[Parameter]:
    """List the trainable parameters that the inner update moves, in the model's order."""
    cells: list[nn.Cell] = [c for _, c in model.cells_and_names() if isinstance(c, MetaCell)]
    own = [parameter for cell in cells for parameter in cell.get_parameters(expand=False)]
    return [parameter for parameter in own if parameter.requires_grad]


def mark_adaptor(cell: nn.Cell) -> nn.Cell:
    """Declare a cell to be an adaptor: `adaptor_parameters` then lists its parameters.

    Args:
        cell: cell with inputs and outputs of any shape.

    Returns:
        The same cell.
    """
    cell.is_adaptor = True
    return cell


def adaptor_parameters(model: nn.Cell) -> list[Parameter]:
    """List the trainable parameters of the model's adaptors, in the model's order."""
    adaptors = [c for _, c in model.cells_and_names() if getattr(c, "is_adaptor", False)]
    found = {id(p): p for adaptor in adaptors for p in adaptor.trainable_params()}
    return list(found.values())
