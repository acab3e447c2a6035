"""ImageNet weights of vision transformers: timm's and DeiT's files and names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .positions import Grid, resize_positions, square_grid

_TIMM = "https://github.com/rwightman/pytorch-image-models/releases/download"
_POSITIONS, _PATCHES = "pos_embed", "patch_embed.proj.weight"
# The token by which a distilled DeiT predicts its teacher's classes.
_DISTILLATION_TOKEN = "dist_token"


def own_weights(
    weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Convert the weights of a published file, but for the size of the images.

    The distillation token and its position are removed, which a file has where one of its positions
    is left over beside a class token and a square grid. Patches may be embedded by a matrix.

    Args:
        weights: PyTorch name -> array.
        shapes: PyTorch name -> shape that the backbone needs.

    Returns:
        PyTorch name -> array.
    """
    own = {name: value for name, value in weights.items() if name != _DISTILLATION_TOKEN}
    positions = own.get(_POSITIONS)
    if positions is not None and positions.ndim == 3 and positions.shape[1] > 2:
        count = positions.shape[1]
        is_distilled = square_grid(count - 1) is None and square_grid(count - 2) is not None
        if is_distilled or _DISTILLATION_TOKEN in weights:
            own[_POSITIONS] = np.delete(positions, 1, axis=1)
    kernel = shapes.get(_PATCHES)
    patches = own.get(_PATCHES)
    if kernel and patches is not None and patches.ndim == 2 and patches.size == np.prod(kernel):
        own[_PATCHES] = patches.reshape(kernel)
    return own


def fit_square_images(weights: Mapping[str, np.ndarray], grid: Grid) -> dict[str, np.ndarray]:
    """Resize the position embeddings of square images, as those of ImageNet.

    Args:
        weights: PyTorch name -> array, after `own_weights`.
        grid: height and width of the backbone's grid, in patches.

    Returns:
        The same with other position embeddings; those of no square grid stay.
    """
    fitted = dict(weights)
    positions = fitted.get(_POSITIONS)
    if positions is not None and positions.ndim == 3:
        source = square_grid(positions.shape[1] - 1)
        if source is not None and source[0] > 0 and source != grid:
            fitted[_POSITIONS] = resize_positions(positions, source, grid)
    return fitted


register_pretrained(
    "build_vit_backbone",
    PretrainedRules(
        files={
            "base": PublishedFile(f"{_TIMM}/v0.1-vitjx/jx_vit_base_p16_224-80ecf9dd.pth"),
            "small": PublishedFile(f"{_TIMM}/v0.1-weights/vit_small_p16_224-15ec54c9.pth"),
        },
        classifiers=("head.", "head_dist.", "pre_logits."),
        convert=own_weights,
        family="a vision transformer (ViT)",
    ),
)
