"""A short summary of a state dict's names and shapes, to compare networks without a large file."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from math import prod


def row_of(shapes: Mapping[str, tuple[int, ...]], trained: Collection[str]) -> dict[str, int | str]:
    """Summarise a state dict.

    Args:
        shapes: PyTorch name -> shape of every tensor, without batch counters.
        trained: names of the parameters among them.

    Returns:
        The number of tensors, the number of trained values, and the hash of names and shapes.
    """
    values = sum(prod(shapes[name]) for name in trained)
    return {"tensors": len(shapes), "values": values, "hash": hash_of(shapes)}


def hash_of(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Hash the sorted lines ``name shape``, such as ``stem.conv.weight (32, 3, 3, 3)``."""
    lines = sorted(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
