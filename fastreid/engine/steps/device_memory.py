"""Frees the memory of tensors that MindSpore still references."""

from __future__ import annotations

from collections.abc import Iterable

import mindspore as ms
from mindspore import Tensor

# MindSpore 2.7 does not offer the storage of a tensor on CPU.
_HAS_STORAGE = tuple(int(part) for part in ms.__version__.split(".")[:2]) >= (2, 8)


def release(tensors: Iterable[Tensor]) -> None:
    """Free the memory of tensors that are not read again.

    A compiled graph keeps the inputs of its last run, so gradients given to an update would stay
    in memory until the next update (docs/performance.md has the gain). This works on CPU, where a
    call returns after its graph has run, from MindSpore 2.8 on; elsewhere it does nothing.

    Args:
        tensors: tensors of any shapes; they are empty afterwards.
    """
    if ms.get_context("device_target") != "CPU" or not _HAS_STORAGE:
        return
    for tensor in tensors:
        tensor.untyped_storage().resize_(0)
