"""The tensors that a weights file must have for a model."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import nn

from .names import torch_names


def expected_shapes(model: nn.Cell, *, ignore: Sequence[str] = ()) -> dict[str, tuple[int, ...]]:
    """List the tensors that a weights file must have for a model.

    Args:
        model: the model.
        ignore: prefixes of parameter names that the file may lack, as in `load_weights`.

    Returns:
        Shapes by PyTorch name.
    """
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    return {
        theirs: tuple(parameters[ours].shape)
        for theirs, ours in torch_names(model).items()
        if not ours.startswith(tuple(ignore))
    }
