"""Mixed precision: float16 in the backbone's convolutions, float32 elsewhere."""

from __future__ import annotations

from mindspore import nn

from fastreid.layers import Conv2d


def use_half_precision(model: nn.Cell) -> None:
    """Train the backbone's convolutions, and the maps between them, in float16.

    Parameters, statistics, the head, the losses and evaluation stay float32.

    Args:
        model: any architecture; call this before it is compiled. The backbone is its part
            `backbone`, or the parts that it names in `backbone_parts`.
    """
    for part in getattr(model, "backbone_parts", ("backbone",)):
        for _, cell in getattr(model, part).cells_and_names():
            if isinstance(cell, Conv2d):
                cell.train_in_half_precision()
