"""Convolutions with a norm, and rounded widths, for MobileNetV2 and V3."""

from __future__ import annotations

from collections.abc import Callable

from mindspore import nn

from fastreid.layers import Conv2d

Norm = Callable[[int], nn.Cell]


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    *,
    norm: Norm,
    activation: Callable[[], nn.Cell] | None = None,
    stride: int = 1,
    groups: int = 1,
) -> list[nn.Cell]:
    """Build a convolution, its norm and its activation.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output (N, out_channels, H / stride, W / stride).
        kernel_size: side of the kernel; the padding keeps the size.
        norm: builds the norm.
        activation: builds the activation; None: no activation.
        stride: step of the kernel, in pixels.
        groups: number of channel groups that are convolved separately.

    Returns:
        Two or three cells to be run in sequence.
    """
    conv = Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
    )
    cells = [conv, norm(out_channels)]
    return cells if activation is None else [*cells, activation()]


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round a width to the nearest multiple of a divisor, and up where 10 % or more would be lost.

    Args:
        channels: the exact width.
        divisor: the result is a multiple of it, and not 0.

    Returns:
        The rounded width.

    Examples:
        >>> from fastreid.modeling.backbones.mobilenet.layers import round_channels
        >>> round_channels(32 * 0.75), round_channels(16 * 0.35), round_channels(24 * 1.4)
        (24, 8, 32)
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor
