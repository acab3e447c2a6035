"""Blocks of OSNet: light convolutions, streams of several scales, and their sum."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.layers import Conv2d, InstanceNorm, in_turn

from ..channel_gate import ChannelGate

Norm = Callable[[int], nn.Cell]

# The block is four times narrower than its output, the hidden layer of its gate 16 times narrower
# than the block.
_BLOCK_REDUCTION = 4
_GATE_REDUCTION = 16
# A stream of n light convolutions sees (2 n + 1) x (2 n + 1) pixels.
_STREAMS = {"conv2a": 1, "conv2b": 2, "conv2c": 3, "conv2d": 4}


class ConvNorm(nn.Cell):
    """A convolution without bias and a norm.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        kernel_size: side of the kernel; the padding keeps the size.
        norm: builds the norm.
        stride: step of the kernel, in pixels.
        activated: whether a ReLU follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        norm: Norm,
        stride: int = 1,
        activated: bool = True,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=padding)
        self.bn = norm(out_channels)
        self.relu = nn.ReLU() if activated else nn.Identity()

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        return self.relu(self.bn(self.conv(x)))


class LightConv3x3(nn.Cell):
    """A 3x3 convolution in two factors: 1x1 over the channels, then 3x3 in each channel.

    Args:
        channels: C of the input (N, C, H, W) and of the output.
        norm: builds the norm.
    """

    def __init__(self, channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, channels, 1)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.bn = norm(channels)

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return ops.relu(self.bn(self.conv2(self.conv1(x))))


class OSBlock(nn.Cell):
    """Omni-scale block: streams of one to four light convolutions, gated and added.

    All streams share one gate, which weights the channels of each stream for each image.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        norm: builds a norm.
        with_instance_norm: instance norm of the sum with the shortcut.
    """

    recomputable = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: Norm,
        with_instance_norm: bool = False,
    ) -> None:
        super().__init__()
        width = out_channels // _BLOCK_REDUCTION
        self.conv1 = ConvNorm(in_channels, width, norm=norm)
        streams = {name: _stream(width, length, norm) for name, length in _STREAMS.items()}
        for name, stream in streams.items():
            setattr(self, name, stream)
        # Children by their names above; the tuple is what `construct` loops over.
        self.streams = tuple(streams.values())
        self.gate = ChannelGate(width, width // _GATE_REDUCTION)
        self.conv3 = ConvNorm(width, out_channels, norm=norm, activated=False)
        self.downsample = nn.Identity()
        if in_channels != out_channels:
            self.downsample = ConvNorm(in_channels, out_channels, norm=norm, activated=False)
        self.IN = InstanceNorm(out_channels) if with_instance_norm else nn.Identity()
        self.streams_in_turn = in_turn(*self.streams)
        self.shortcut_in_turn = in_turn(self.downsample)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W)."""
        y = self.conv1(x)
        total = self.gate(self.streams[0](y))
        for stream in self.streams[1:]:
            y, total = self.streams_in_turn(y, total)  # an order for synchronised norms
            total = total + self.gate(stream(y))
        x, total = self.shortcut_in_turn(x, self.conv3(total))
        return ops.relu(self.IN(total + self.downsample(x)))


def _stream(channels: int, length: int, norm: Norm) -> nn.Cell:
    convolutions = [LightConv3x3(channels, norm=norm) for _ in range(length)]
    return convolutions[0] if length == 1 else nn.SequentialCell(convolutions)


def os_stage(
    in_channels: int,
    out_channels: int,
    *,
    blocks: int,
    norm: Norm,
    with_instance_norm: bool = False,
    halves: bool = True,
) -> nn.SequentialCell:
    """Build a stage of OSNet.

    Args:
        in_channels: channels of the input (N, in_channels, H, W).
        out_channels: channels of the output.
        blocks: number of omni-scale blocks.
        norm: builds a norm.
        with_instance_norm: instance norm in the blocks.
        halves: whether a 1x1 convolution and average pooling of stride 2 follow.

    Returns:
        A cell whose output is (N, out_channels, H, W), or (N, out_channels, H // 2, W // 2).
    """
    widths = [in_channels, *[out_channels] * blocks]
    block = partial(OSBlock, norm=norm, with_instance_norm=with_instance_norm)
    cells: list[nn.Cell] = [block(*pair) for pair in zip(widths, widths[1:])]
    if halves:
        transition = ConvNorm(out_channels, out_channels, norm=norm)
        cells.append(nn.SequentialCell(transition, nn.AvgPool2d(2, 2)))
    return nn.SequentialCell(cells)
