"""Memory of tensors, given back before Python would."""

from __future__ import annotations

from collections.abc import Iterable

import mindspore as ms
from mindspore import Tensor

# MindSpore 2.7 answers on CPU that it has none.
_HAS_STORAGE = tuple(int(part) for part in ms.__version__.split(".")[:2]) >= (2, 8)


def release(tensors: Iterable[Tensor]) -> None:
    """Free the memory of tensors that nobody reads again.

    A compiled graph holds on to the inputs of its last run, whatever Python drops: gradients given
    to an update would wait in memory until the next update. Only on CPU, where a call returns after
    its graph has run, and from MindSpore 2.8 on; elsewhere nothing happens.

    Args:
        tensors: of any shapes; they are empty afterwards.
    """
    if ms.get_context("device_target") != "CPU" or not _HAS_STORAGE:
        return
    for tensor in tensors:
        tensor.untyped_storage().resize_(0)
