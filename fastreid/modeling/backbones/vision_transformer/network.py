"""Vision transformers of fast-reid, "small" and "base", with patches of 16x16 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, initializer

from fastreid.config import CfgNode, evaluation_image_size, training_image_size
from fastreid.layers import Conv2d
from fastreid.layers.kernels import cast
from fastreid.utils.checkpoint.weights import Adapted

from ..build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from .blocks import INIT_STD, Block, LayerNorm
from .positions import Grid, nearest_grid, resize_positions
from .published import fit_square_images
from .stochastic_depth import StochasticDepth

PATCH_SIZE = 16


class ViTSpec(NamedTuple):
    """Sizes of a vision transformer.

    Attributes:
        depth: number of blocks.
        heads: heads of the attention.
        mlp_ratio: width of the perceptrons' hidden layer by the width of the tokens.
        qkv_bias: whether queries, keys and values have a bias.
        scale: factor of the products of queries and keys; None: 1 / sqrt(width / heads).
        width: D of the tokens.
    """

    depth: int
    heads: int
    mlp_ratio: float
    qkv_bias: bool
    scale: float | None
    width: int = 768


# MODEL.BACKBONE.DEPTH -> sizes. "small" is timm's network of 2020, whose scale is that of one head.
SPECS = {
    "small": ViTSpec(8, 8, 3.0, qkv_bias=False, scale=768**-0.5),
    "base": ViTSpec(12, 12, 4.0, qkv_bias=True, scale=None),
}


class PatchEmbedding(nn.Cell):
    """A convolution that makes one token of each patch; patches may overlap.

    Args:
        width: D of the tokens.
        stride: vertical and horizontal distance of patches, in pixels.
    """

    def __init__(self, width: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.proj = Conv2d(3, width, PATCH_SIZE, stride=stride, bias=True)

    def construct(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, h * w, D), row by row."""
        x = self.proj(images)
        n, width, _, _ = x.shape
        return cast(x.reshape(n, width, -1), ms.float32).transpose(0, 2, 1)


class VisionTransformer(nn.Cell):
    """A vision transformer whose feature is the class token (Dosovitskiy et al., ICLR 2021).

    Args:
        spec: sizes.
        image_size: height and width of the images, in pixels; others are refused.
        stride: vertical and horizontal distance of patches, in pixels.
        drop_path: probability of dropping a branch of the last block for an image in training; it
            grows linearly from 0 at the first block.
        dropout: probability of dropping an element of tokens, after each linear layer.
        attention_dropout: probability of dropping a weight of the attention.
        seed: of `drop_path`, in [0, 2**32).

    Raises:
        ValueError: if the images are smaller than a patch, or a probability is not in [0, 1).

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.backbones.vision_transformer import VisionTransformer, ViTSpec
        >>> tiny = ViTSpec(depth=1, heads=2, mlp_ratio=2.0, qkv_bias=True, scale=None, width=16)
        >>> backbone = VisionTransformer(tiny, image_size=(64, 32))
        >>> tokens = backbone.tokens(ms.ops.zeros((2, 3, 64, 32)))
        >>> tokens.shape  # class token, 4 * 2 patches
        (2, 9, 16)
        >>> patches = tokens[:, 1:].reshape(-1, *backbone.grid, 16)
        >>> patches.shape
        (2, 4, 2, 16)
    """

    gives_paths = False

    def __init__(
        self,
        spec: ViTSpec,
        *,
        image_size: tuple[int, int],
        stride: tuple[int, int] = (PATCH_SIZE, PATCH_SIZE),
        drop_path: float = 0.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.grid = patch_grid(image_size, stride)
        self.out_channels = spec.width
        self.patch_embed = PatchEmbedding(spec.width, stride)
        start = partial(initializer, Normal(INIT_STD))
        self.cls_token = Parameter(start((1, 1, spec.width)))
        self.pos_embed = Parameter(start((1, 1 + self.grid[0] * self.grid[1], spec.width)))
        self.pos_drop = nn.Dropout(p=dropout) if dropout > 0 else nn.Identity()
        self.blocks = nn.CellList(
            [
                Block(
                    spec.width,
                    spec.heads,
                    mlp_ratio=spec.mlp_ratio,
                    qkv_bias=spec.qkv_bias,
                    scale=spec.scale,
                    dropout=dropout,
                    attention_dropout=attention_dropout,
                )
                for _ in range(spec.depth)
            ]
        )
        self.norm = LayerNorm(spec.width)
        self.drops_paths = drop_path > 0
        rates = np.repeat(np.linspace(0, drop_path, spec.depth), 2).tolist()
        self.stochastic_depth = StochasticDepth(rates, seed=seed)

    def tokens(self, images: Tensor) -> Tensor:
        """Compute the tokens after the last norm.

        Args:
            images: (N, 3, H, W), standardized, of the size that the cell was built for.

        Returns:
            (N, 1 + h * w, D) float32: the class token, then the patches row by row, where h and w
            are `grid`.

        Raises:
            ValueError: for images of another size.
        """
        x = self.embed(images)
        if self.training and self.drops_paths:
            factors = self.stochastic_depth(images.shape[0])
            for number, block in enumerate(self.blocks):
                x = block(x, factors[2 * number : 2 * number + 2])
        else:
            for block in self.blocks:
                x = block(x)
        return self.norm(x)

    def embed(self, images: Tensor) -> Tensor:
        """Compute the tokens before the first block, with their positions; as `tokens`."""
        n, _, height, width = images.shape
        if (height, width) != self.image_size:
            raise ValueError(
                f"This vision transformer was built for images of {self.image_size} pixels, not "
                f"{(height, width)}; INPUT.SIZE_TRAIN, or INPUT.CROP, sets the size."
            )
        patches = self.patch_embed(images)
        class_tokens = ops.broadcast_to(self.cls_token, (n, 1, self.out_channels))
        x = ops.cat((class_tokens, patches), 1)
        return self.pos_drop(x + ops.broadcast_to(self.pos_embed, x.shape))

    def construct(self, images: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> class tokens (N, D, 1, 1)."""
        return self.tokens(images)[:, 0].reshape(-1, self.out_channels, 1, 1)

    def enter_last_block(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run all blocks but the last, in evaluation.

        Args:
            images: (N, 3, H, W), as of `tokens`.

        Returns:
            The tokens that enter the last block, and the same after its first norm, both
            (N, 1 + h * w, D). In that block the patches affect the class token through the latter
            only.
        """
        x = self.embed(images)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            if number < last:
                x = block(x)
        return x, self.blocks[last].norm1(x)

    def leave_last_block(self, x: Tensor, normed: Tensor) -> Tensor:
        """Compute the class tokens from both results of `enter_last_block`, in evaluation.

        Args:
            x: (N, 1 + h * w, D).
            normed: (N, 1 + h * w, D).

        Returns:
            Class tokens (N, D, 1, 1).
        """
        block = self.blocks[len(self.blocks) - 1]
        x = x + block.attn(normed)
        x = self.norm(x + block.mlp(block.norm2(x)))
        return x[:, 0].reshape(-1, self.out_channels, 1, 1)

    def adapt_to_weights(self, weights: Mapping[str, np.ndarray]) -> Adapted | None:
        """Resize the position embeddings of a model that was trained on images of another size.

        Args:
            weights: arrays by name in this cell, without those of its parts.

        Returns:
            The changed weights, or None where nothing has to change.
        """
        have, want = weights.get("pos_embed"), self.pos_embed.shape
        if have is None or have.ndim != 3 or have.shape[1] < 2 or have.shape[1] == want[1]:
            return None
        if (have.shape[0], have.shape[2]) != (1, want[2]):
            return None
        source = nearest_grid(have.shape[1] - 1, self.grid)
        resized = resize_positions(have, source, self.grid)
        note = (
            f"the position embeddings of {source[0]}x{source[1]} patches (height x width) were "
            f"resized to {self.grid[0]}x{self.grid[1]}, as these weights were trained on images of "
            "another size"
        )
        return Adapted(self, {**weights, "pos_embed": resized}, note)


def patch_grid(image_size: tuple[int, int], stride: tuple[int, int]) -> Grid:
    """Compute the number of patches.

    Args:
        image_size: height and width of the images, in pixels.
        stride: vertical and horizontal distance of patches, in pixels.

    Returns:
        Patches in a column and in a row.

    Raises:
        ValueError: if the images are smaller than a patch, or a distance is not positive.

    Examples:
        >>> from fastreid.modeling.backbones.vision_transformer.network import patch_grid
        >>> patch_grid((256, 128), stride=(16, 16)), patch_grid((256, 128), stride=(12, 12))
        ((16, 8), (21, 10))
    """
    if min(stride) < 1:
        raise ValueError(f"MODEL.BACKBONE.STRIDE_SIZE {list(stride)}: each must be at least 1.")
    if min(image_size) < PATCH_SIZE:
        raise ValueError(
            f"INPUT.SIZE_TRAIN (or INPUT.CROP.SIZE) {list(image_size)} is smaller than a patch of "
            f"the vision transformer; each side must have at least {PATCH_SIZE} pixels."
        )
    rows, columns = ((size - PATCH_SIZE) // step + 1 for size, step in zip(image_size, stride))
    return rows, columns


@BACKBONE_REGISTRY.register()
def build_vit_backbone(cfg: CfgNode) -> VisionTransformer:
    """Build the vision transformer of a config, with ImageNet weights if `PRETRAIN` is set.

    Position embeddings of ImageNet's square images are resized to the grid of the config.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width, images have another size in
            tests than in training, or none, a size or a probability is out of range, or the weights
            do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = spec_of_depth(SPECS, backbone.DEPTH, "a vision transformer")
    _check_options(cfg)
    model = VisionTransformer(
        spec,
        image_size=training_image_size(cfg),
        stride=(int(backbone.STRIDE_SIZE[0]), int(backbone.STRIDE_SIZE[1])),
        drop_path=backbone.DROP_PATH_RATIO,
        dropout=backbone.DROP_RATIO,
        attention_dropout=backbone.ATT_DROP_RATE,
        seed=cfg.SEED,
    )
    return finish_backbone(
        model,
        cfg,
        ignored=("LAST_STRIDE", "NORM", "WITH_IBN", "WITH_SE", "WITH_NL", "SIE_COE"),
        adapt=partial(fit_square_images, grid=model.grid),
    )


def _check_options(cfg: CfgNode) -> None:
    in_training, in_tests = training_image_size(cfg), evaluation_image_size(cfg)
    if in_training != in_tests:
        raise ValueError(
            f"Images have {list(in_training)} pixels in training and {list(in_tests)} in tests, "
            "but a vision transformer has position embeddings for one size. Set INPUT.SIZE_TRAIN "
            "and INPUT.SIZE_TEST (with INPUT.CROP, its SIZE) to the same height and width."
        )
    options = cfg.MODEL.BACKBONE
    for key in ("DROP_PATH_RATIO", "DROP_RATIO", "ATT_DROP_RATE"):
        if not 0 <= options[key] < 1:
            raise ValueError(f"MODEL.BACKBONE.{key} ({options[key]}) must be in [0, 1).")
    if len(options.STRIDE_SIZE) != 2:
        raise ValueError(
            f"MODEL.BACKBONE.STRIDE_SIZE {list(options.STRIDE_SIZE)} must be two numbers, vertical "
            "and horizontal, as (16, 16)."
        )
