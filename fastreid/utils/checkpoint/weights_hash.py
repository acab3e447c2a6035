"""A hash that names the weights of a model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from .names import export_weights

if TYPE_CHECKING:
    from mindspore import nn


def hash_of_weights(model: nn.Cell) -> str:
    """Return the SHA-256 of the names and values of all tensors, in hexadecimal.

    Args:
        model: a network. Exported files and galleries name it by this hash.
    """
    digest = hashlib.sha256()
    for name, value in sorted(export_weights(model).items()):
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
