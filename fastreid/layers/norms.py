"""Norms by their names in the config."""

from __future__ import annotations

from mindspore import nn

from .batch_norm import BatchNorm, FrozenBatchNorm, GroupNorm, InstanceNorm
from .sync_batch_norm import SyncBatchNorm

NORMS = {
    "BN": BatchNorm,
    "FrozenBN": FrozenBatchNorm,
    "GN": GroupNorm,
    "IN": InstanceNorm,
    "syncBN": SyncBatchNorm,
}


def get_norm(norm: str, out_channels: int) -> nn.Cell:
    """Build the norm of a name in the config.

    Args:
        norm: "BN"; "syncBN", with statistics over all processes; "FrozenBN", which never trains;
            "GN", with 32 groups; "IN".
        out_channels: C of the input (N, C, H, W).

    Returns:
        The cell, (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: for an unknown name, or a channel count that the norm cannot have.

    Examples:
        >>> from fastreid.layers import get_norm
        >>> norm = get_norm("BN", 64)
        >>> [(parameter.name, parameter.shape) for parameter in norm.get_parameters()]
        [('gamma', (64,)), ('beta', (64,)), ('moving_mean', (64,)), ('moving_variance', (64,))]
    """
    if norm not in NORMS:
        raise ValueError(f"NORM {norm!r} is unknown; it must be one of {sorted(NORMS)}.")
    return NORMS[norm](out_channels)
