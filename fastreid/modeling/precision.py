"""Mixed precision: float16 in the backbone's convolutions, float32 elsewhere."""

from __future__ import annotations

from mindspore import nn

# Where an architecture does not say otherwise.
_PARTS = ("backbone",)


def use_half_precision(model: nn.Cell) -> None:
    """Train the backbone's convolutions, and the maps between them, in float16.

    Parameters, statistics, the head, the losses and evaluation stay float32. An architecture names
    the parts that are meant in `half_precision_parts`, by default its backbone. In these parts, a
    cell with a method `train_in_half_precision`, as `Conv2d`, computes in float16 in training.

    Args:
        model: any architecture; call this before it is compiled.
    """
    for part in getattr(model, "half_precision_parts", _PARTS):
        for _, cell in getattr(model, part).cells_and_names():
            if hasattr(cell, "train_in_half_precision"):
                cell.train_in_half_precision()
