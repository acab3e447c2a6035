"""Less memory for more time: blocks compute their activations again in the backward pass.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

from __future__ import annotations

from mindspore import nn

from fastreid.layers import BatchNorm, sends_messages

from .backbones.blocks import BasicBlock, Bottleneck
from .backbones.dynamic_router import AdaptorBank

_BLOCKS = (BasicBlock, Bottleneck, AdaptorBank)


def recompute_blocks(model: nn.Cell) -> None:
    """Keep only the inputs of residual blocks and adaptor banks for the backward pass.

    The results are the same. A batch norm in such a block runs twice a step, so each run updates
    its running statistics by a part. For graph mode; call it before the model is compiled.

    Args:
        model: model of any architecture.

    Raises:
        ValueError: if the model has norms over several processes.
    """
    if sends_messages(model):
        raise ValueError(
            "MODEL.RECOMPUTE would send the messages of NORM 'syncBN' again in the backward pass; "
            "set it to False, or NORM to 'BN'."
        )
    for _, block in model.cells_and_names():
        if isinstance(block, _BLOCKS):
            block.recompute()
            for _, cell in block.cells_and_names():
                if isinstance(cell, BatchNorm):
                    cell.move_in_two_parts()
