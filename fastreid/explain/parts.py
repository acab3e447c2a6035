"""Models in two parts: up to the last maps or tokens, and from there to the feature.

The first part gives activations, each of which belongs to a place of the image. The second one is
what `pairs` differentiates.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.utils.messages.errors import ExplainedError

from .places import join_maps


class ExplainError(ExplainedError, ValueError):
    """This model cannot be explained; the message says what can."""


class MapParts:
    """A `Baseline` of a convolutional backbone: its last map, and the head.

    Args:
        model: has `run_backbone`, from images (N, 3, H, W) to a map (N, C, h, w), or to a tuple
            that begins with it, and `heads`, from the map to features (N, D).
    """

    # The number of tensors of `split` whose places count. They come first.
    explained = 1

    def __init__(self, model: nn.Cell) -> None:
        self.split: nn.Cell = _MapsOfBaseline(model)
        self.join: nn.Cell = _FeatureOfMap(model)

    def measured(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Choose the tensors whose lengths are the activation map.

        Args:
            tensors: the results of `split`.
        """
        return tensors

    def shift(self, tensors: tuple[Tensor, ...]) -> Tensor:
        """Compute the features (N, D) of empty maps, those of the neck's shift alone.

        Args:
            tensors: the results of `split`.
        """
        return self.join(*(ops.zeros_like(tensor) for tensor in tensors))

    def places(self, sums: list[np.ndarray]) -> np.ndarray:
        """Arrange sums over channels as maps.

        Args:
            sums: for each explained tensor (N, h, w), or (N, T) of tokens.

        Returns:
            (N, h, w), with the same total for each image as far as it belongs to a place.
        """
        return join_maps(sums)


class BranchParts(MapParts):
    """An `MGN`: the last maps of its three branches, and all heads.

    Args:
        model: has `branch_maps` and `embed`.
    """

    explained = 3

    def __init__(self, model: nn.Cell) -> None:
        self.split = _MapsOfBranches(model)
        self.join = _FeatureOfBranches(model)


class TokenParts(MapParts):
    """A `Baseline` of a vision transformer: the tokens that the last attention compares.

    In the last block, patches affect the class token through these tokens only. What the class
    token brings along belongs to no place.

    Args:
        model: has `run_backbone` and `heads`; its backbone has `enter_last_block`,
            `leave_last_block` and `grid`.
    """

    def __init__(self, model: nn.Cell) -> None:
        self.split = _TokensOfBaseline(model)
        self.join = _FeatureOfTokens(model)
        self._heads, self._grid = model.heads, model.backbone.grid

    def measured(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Choose the tokens that enter the last block: after a norm all have nearly one length."""
        return tensors[1:]

    def shift(self, tensors: tuple[Tensor, ...]) -> Tensor:
        """Compute the features (N, D) of class tokens that are zero."""
        count, _, width = tensors[0].shape
        return self._heads(ops.zeros((count, width, 1, 1), ms.float32))

    def places(self, sums: list[np.ndarray]) -> np.ndarray:
        """Arrange the sums (N, 1 + h * w) of the patches as maps (N, h, w)."""
        return sums[0][:, 1:].reshape(-1, *self._grid)


class _Part(nn.Cell):
    """A part of a model, which keeps the names of its parameters."""

    def __init__(self, model: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model = model


class _MapsOfBaseline(_Part):
    def __init__(self, model: nn.Cell) -> None:
        super().__init__(model)
        self.gives_paths = bool(getattr(model, "takes_paths", False))

    def construct(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = self.model.run_backbone(images)
        features = outputs[0] if self.gives_paths else outputs
        return (features.astype(ms.float32),)


class _FeatureOfMap(_Part):
    def construct(self, features: Tensor) -> Tensor:
        return self.model.heads(features)


class _MapsOfBranches(_Part):
    def construct(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.model.branch_maps(images)


class _FeatureOfBranches(_Part):
    def construct(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        return self.model.embed((first, second, third))


class _TokensOfBaseline(_Part):
    def construct(self, images: Tensor) -> tuple[Tensor, ...]:
        x, normed = self.model.backbone.enter_last_block(self.model.standardised(images))
        return normed, x


class _FeatureOfTokens(_Part):
    def construct(self, normed: Tensor, x: Tensor) -> Tensor:
        return self.model.heads(self.model.backbone.leave_last_block(x, normed))


def divide(model: Any) -> MapParts:
    """Divide a model into two parts.

    Args:
        model: a `Baseline` or a subclass of it, an `MGN`, or a cell with the same methods.

    Raises:
        ExplainError: for another model.
    """
    if hasattr(model, "branch_maps") and hasattr(model, "embed"):
        return BranchParts(model)
    if not (hasattr(model, "run_backbone") and hasattr(model, "heads")):
        raise ExplainError(
            f"{type(model).__name__} cannot be explained: maps are drawn for models with "
            "run_backbone and heads, as Baseline and ACL, and for MGN."
        )
    if hasattr(model.backbone, "enter_last_block"):
        return TokenParts(model)
    return MapParts(model)
