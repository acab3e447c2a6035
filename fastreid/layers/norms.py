"""Norms by the names that configs give them."""

from __future__ import annotations

from mindspore import nn

from .batch_norm import BatchNorm, InstanceNorm
from .sync_batch_norm import SyncBatchNorm

NORMS = {"BN": BatchNorm, "IN": InstanceNorm, "syncBN": SyncBatchNorm}


def get_norm(norm: str, out_channels: int) -> nn.Cell:
    """Build the normalization that a config names.

    Args:
        norm: "BN", "IN", or "syncBN", whose statistics are over all processes.
        out_channels: C of the (N, C, H, W) it will see.

    Returns:
        The cell, (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: for an unknown name.
    """
    if norm not in NORMS:
        raise ValueError(f"NORM {norm!r} is unknown; it must be one of {sorted(NORMS)}.")
    return NORMS[norm](out_channels)
