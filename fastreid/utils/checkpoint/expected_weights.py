"""What a model needs of a file of weights."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import nn

from .names import torch_names


def expected_shapes(model: nn.Cell, *, ignore: Sequence[str] = ()) -> dict[str, tuple[int, ...]]:
    """Say which tensors a file must have for a model.

    Args:
        model: the model.
        ignore: beginnings of names in the model that a file may lack, as in `load_weights`.

    Returns:
        PyTorch name -> shape.
    """
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    return {
        theirs: tuple(parameters[ours].shape)
        for theirs, ours in torch_names(model).items()
        if not ours.startswith(tuple(ignore))
    }
