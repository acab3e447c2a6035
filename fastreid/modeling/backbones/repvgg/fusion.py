"""Fuse the three branches of RepVGG's blocks into one convolution each (section 3.3 of the paper).

In evaluation, a norm multiplies each channel by a number and adds another, so a convolution with a
norm is a convolution with a bias. A 1x1 kernel is a 3x3 kernel with zeros around it, and the input
is its own 1x1 convolution with ones. The sum of the branches is the convolution by the sum of
their kernels and biases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

_BLOCK = re.compile(r"(?P<block>(.*\.)?)rbr_(dense|1x1|identity)\.")
_FUSED = re.compile(r"(^|\.)fused_(weight|bias)$")
# Values of NORM whose running statistics make a convolution with a bias.
FUSIBLE_NORMS = ("BN", "syncBN", "FrozenBN")
_NORM = ("weight", "bias", "running_mean", "running_var")


def fuse_repvgg(weights: Mapping[str, np.ndarray], *, eps: float = 1e-5) -> dict[str, np.ndarray]:
    """Fuse the blocks of a trained RepVGG: a backbone alone, or a model that contains one.

    The result fits the same config with `MODEL.BACKBONE.DEPLOY True`, whose model computes the same
    features in evaluation::

        weights = fuse_repvgg(export_weights(model))
        cfg.MODEL.BACKBONE.DEPLOY = True
        deployed = build_model(cfg)
        load_weights(deployed, weights)

    Args:
        weights: PyTorch name -> array, with tensors of `rbr_dense`, `rbr_1x1` and `rbr_identity`.
        eps: what the norms add to the variance.

    Returns:
        The same tensors with `fused_weight` and `fused_bias` in place of those of each block; other
        tensors are not copied.

    Raises:
        ValueError: if there is no such block, or a block lacks a tensor, as one with other norms
            than batch norms does.
    """
    fused: dict[str, np.ndarray] = {}
    for name, value in weights.items():
        match = _BLOCK.match(name)
        if match is None:
            fused[name] = value
        elif f"{match['block']}fused_weight" not in fused:
            kernel, bias = _fuse_block(weights, match["block"], eps)
            fused[f"{match['block']}fused_weight"] = kernel
            fused[f"{match['block']}fused_bias"] = bias
    if len(fused) == len(weights):
        raise ValueError(_nothing_to_fuse(weights))
    return fused


def _nothing_to_fuse(weights: Mapping[str, np.ndarray]) -> str:
    if any(map(_FUSED.search, weights)):
        return "The RepVGG of these weights is fused already; use them as they are."
    return (
        "These weights have no block of a RepVGG (rbr_dense, rbr_1x1); only RepVGG can be fused. "
        f"They begin with {', '.join(list(weights)[:3])}."
    )


def _fuse_block(
    weights: Mapping[str, np.ndarray], block: str, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse one block.

    Args:
        weights: all weights.
        block: beginning of the names of its tensors, up to the dot.
        eps: what its norms add to the variance.

    Returns:
        The kernel (out, in / groups, 3, 3) and the bias (out,), of the kernel's type.
    """
    dense = _tensor(weights, f"{block}rbr_dense.conv.weight")
    kernel, bias = _scaled(dense, weights, f"{block}rbr_dense.bn.", eps)
    pointwise = _tensor(weights, f"{block}rbr_1x1.conv.weight")
    centre, shift = _scaled(pointwise, weights, f"{block}rbr_1x1.bn.", eps)
    bias = bias + shift
    if any(name.startswith(f"{block}rbr_identity.") for name in weights):
        identity = _identity_kernel(pointwise.shape[0], pointwise.shape[1])
        of_input, shift = _scaled(identity, weights, f"{block}rbr_identity.", eps)
        centre, bias = centre + of_input, bias + shift
    kernel[:, :, 1, 1] += centre[:, :, 0, 0]
    return kernel.astype(dense.dtype), bias.astype(dense.dtype)


def _identity_kernel(channels: int, group_width: int) -> np.ndarray:
    """Build the 1x1 kernel (channels, group_width, 1, 1) that returns its input."""
    kernel = np.zeros((channels, group_width, 1, 1))
    numbers = np.arange(channels)
    kernel[numbers, numbers % group_width] = 1
    return kernel


def _scaled(
    kernel: np.ndarray, weights: Mapping[str, np.ndarray], norm: str, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse a norm into the kernel (out, ...) before it; return float64 kernel and bias (out,)."""
    gamma, beta, mean, variance = (
        _tensor(weights, f"{norm}{leaf}").astype(np.float64) for leaf in _NORM
    )
    scale = gamma / np.sqrt(variance + eps)
    return kernel * scale[:, None, None, None], beta - mean * scale


def _tensor(weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in weights:
        raise ValueError(
            f"RepVGG cannot be fused: the weights have no {name}. Each branch needs the four "
            f"tensors of a batch norm (NORM {' or '.join(FUSIBLE_NORMS)})."
        )
    return weights[name]
