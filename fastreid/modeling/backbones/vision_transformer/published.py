"""ImageNet weights of vision transformers: timm's and DeiT's files and names."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .positions import Grid, resize_positions, square_grid

logger = logging.getLogger(__name__)

_TIMM = "https://github.com/rwightman/pytorch-image-models/releases/download"
_POSITIONS, _PATCHES = "pos_embed", "patch_embed.proj.weight"
_CLASSIFIER = "head."
# The token by which a distilled DeiT predicts its teacher's classes, and its classifier.
_DISTILLATION_TOKEN, _DISTILLATION_CLASSIFIER = "dist_token", "head_dist."


def own_weights(
    weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Convert the weights of a published file, but for the size of the images.

    The distillation token and its position are removed, which a file has if it has that token or
    its classifier. Patches may be embedded by a matrix.

    Args:
        weights: PyTorch name -> array.
        shapes: PyTorch name -> shape that the backbone needs.

    Returns:
        PyTorch name -> array.
    """
    own = {name: value for name, value in weights.items() if name != _DISTILLATION_TOKEN}
    positions = own.get(_POSITIONS)
    is_distilled = any(
        name == _DISTILLATION_TOKEN or name.startswith(_DISTILLATION_CLASSIFIER) for name in weights
    )
    if is_distilled and positions is not None and positions.ndim == 3 and positions.shape[1] > 2:
        own[_POSITIONS] = np.delete(positions, 1, axis=1)
    kernel = shapes.get(_PATCHES)
    patches = own.get(_PATCHES)
    if kernel and patches is not None and patches.ndim == 2 and patches.size == np.prod(kernel):
        own[_PATCHES] = patches.reshape(kernel)
    return own


def fit_square_images(weights: Mapping[str, np.ndarray], grid: Grid) -> dict[str, np.ndarray]:
    """Resize the position embeddings of square images, as those of ImageNet.

    Weights with as many positions as the backbone are of its grid, unless the file is a published
    one, which has a classifier.

    Args:
        weights: PyTorch name -> array, after `own_weights`, with the classifier.
        grid: height and width of the backbone's grid, in patches.

    Returns:
        The same with other position embeddings; those of no square grid stay.
    """
    positions = weights.get(_POSITIONS)
    if positions is None or positions.ndim != 3:
        return dict(weights)
    patches = positions.shape[1] - 1
    source = square_grid(patches) if patches > 0 else None
    is_published = any(name.startswith(_CLASSIFIER) for name in weights)
    fits = patches == grid[0] * grid[1] and not is_published
    if source is None or source == grid or fits:
        return dict(weights)
    logger.log(
        logging.INFO if is_published else logging.WARNING,
        "The position embeddings of %dx%d patches (height x width) were resized to %dx%d, as these "
        "weights were trained on square images",
        *(*source, *grid),
    )
    return {**weights, _POSITIONS: resize_positions(positions, source, grid)}


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
