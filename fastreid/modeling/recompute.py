"""Less memory for more time: blocks compute their activations again in the backward pass.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

from __future__ import annotations

from collections.abc import Iterator

from mindspore import nn

from fastreid.layers import BatchNorm, sends_messages


def recompute_blocks(model: nn.Cell) -> None:
    """Keep only the inputs of blocks for the backward pass.

    A block is a cell that declares `recomputable = True` in its class, as residual blocks do; it
    must not draw random numbers. The results are the same. A batch norm in such a block runs twice
    a step, so each run updates its running statistics by a part. The last operation of a block runs
    once: a block whose output is that of a norm declares this norm as `last_norm`. For graph mode;
    call it before the model is compiled.

    Args:
        model: model of any architecture.

    Raises:
        ValueError: if the model has norms over several processes, or no such block.
    """
    if sends_messages(model):
        raise ValueError(
            "MODEL.RECOMPUTE would send the messages of NORM 'syncBN' again in the backward pass; "
            "set it to False, or NORM to 'BN'."
        )
    blocks = list(_blocks(model))
    if not blocks:
        raise ValueError(
            "MODEL.RECOMPUTE has no effect: no cell of this model declares `recomputable = True`. "
            "Set it to False, or declare it in the class of the backbone's blocks."
        )
    for block in blocks:
        _derive_gradients(block)
        block.recompute()
        last_norm = getattr(block, "last_norm", None)
        for _, cell in block.cells_and_names():
            if cell is last_norm and isinstance(cell, BatchNorm):
                cell.run_once()
            elif isinstance(cell, BatchNorm):
                cell.move_in_two_parts()


def _derive_gradients(cell: nn.Cell) -> None:
    """Replace the cells that declare another kind of cell for use `in_recomputed_block`."""
    for name, child in cell.name_cells().items():
        if hasattr(child, "in_recomputed_block"):
            setattr(cell, name, child.in_recomputed_block())
        else:
            _derive_gradients(child)


def _blocks(cell: nn.Cell) -> Iterator[nn.Cell]:
    """List the outermost recomputable cells."""
    if getattr(cell, "recomputable", False):
        yield cell
        return
    for child in cell.cells():
        yield from _blocks(child)
