"""Operations written for speed, for memory, or for the order of messages between processes.

Each computes the same numbers as its textbook form. The comment on each gives the reason;
docs/performance.md lists all of them with the measured gains. Blocks, heads and norms use these
cells by name and contain no optimizations themselves.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, mint, nn, ops
from mindspore.ops.operations import _grad_ops

# Primitives for use inside of a `bprop`: some functions and methods of `ops` and `Tensor` look
# their primitive up in a cache, and that does not compile there.
add, sub, mul = ops.Add(), ops.Sub(), ops.Mul()
square, rsqrt = ops.Square(), ops.Rsqrt()
cast, depend, matmul = ops.Cast(), ops.Depend(), ops.MatMul()
less, masked_fill = ops.Less(), ops.MaskedFill()
reshape, shape, tile, transpose = ops.Reshape(), ops.Shape(), ops.Tile(), ops.Transpose()
stack, concat = ops.Stack(0), ops.Concat(0)
mean_over, assign_add = ops.ReduceMean(), ops.AssignAdd()


# MindSpore has no public name for these two gradients. This is the only use of `_grad_ops`.
def convolution_weight_gradient(
    out_channels: int, kernel_size: tuple[int, int], **options: Any
) -> ops.Primitive:
    """Build the gradient of a convolution's weight; the options are those of ``ops.Conv2D``."""
    return _grad_ops.Conv2DBackpropFilter(out_channels, kernel_size, **options)


def batch_norm_gradient(eps: float) -> ops.Primitive:
    """Build the gradient of a batch norm that normalizes by given statistics."""
    return _grad_ops.BatchNormGrad(False, eps)


class ExchangeChannels(nn.Cell):
    """Transpose the weight of a 1x1 convolution.

    On CPU the framework's transpose keeps eight bytes for each element as long as the compiled
    graph lives, twice the weight. A copy of a transposed view keeps nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies_view = ms.get_context("device_target") == "CPU"

    def construct(self, weight: Tensor) -> Tensor:
        """Weight (O, I, 1, 1) of O output channels -> (I, O, 1, 1)."""
        if not self.copies_view:
            return transpose(weight, (1, 0, 2, 3))
        outs, ins = shape(weight)[:2]
        return reshape(mint.transpose(reshape(weight, (outs, ins)), 0, 1), (ins, outs, 1, 1))


class StemMaxPool(nn.Cell):
    """3x3 max-pooling of stride 2, unpadded, the last window cut at the border (ceil_mode).

    Halves H and W, rounding up; differs from padding "same" on odd sizes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=0, ceil_mode=True)
        # Equal to `pool` on even sizes. On CPU its forward pass takes a sixth of the time and its
        # backward pass ten times as long, so it serves evaluation only.
        self.pool_even = nn.MaxPool2d(3, 2, pad_mode="same")

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil((H - 3) / 2) + 1, the same of W)."""
        if not self.training and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0:
            return self.pool_even(x)
        return self.pool(x)


# Between maps (N, C, H, W) and one value per channel (N, C). On CPU a reduction over two axes and
# an implicit broadcast take several times as long as a product with ones and a tile, and the result
# of an implicit broadcast stays in memory until the graph ends.
def _sum_over_map(x: Tensor) -> Tensor:
    """(N, C, H, W), float32 or float16 -> (N, C) float32."""
    n, c, h, w = shape(x)
    rows = reshape(cast(x, ms.float32), (n * c, h * w))
    return reshape(matmul(rows, ops.ones((h * w, 1), ms.float32)), (n, c))


def _spread_over_map(values: Tensor, h: int, w: int) -> Tensor:
    """(N, C) -> (N, C, H, W), every pixel of a channel the same."""
    n, c = shape(values)
    return reshape(tile(reshape(values, (n * c, 1)), (1, h * w)), (n, c, h, w))


class _DerivedSpatialMean(nn.Cell):
    """Average over height and width, in float32, with the gradient that MindSpore derives."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W), float32 or float16 -> (N, C) float32."""
        return _sum_over_map(x) / (x.shape[2] * x.shape[3])


class SpatialMean(_DerivedSpatialMean):
    """Average over height and width, in float32."""

    # MindSpore decides from derived gradients when a block is recomputed. Where the gradients of
    # this cell and of the next are written out, it makes a cycle.
    in_recomputed_block = _DerivedSpatialMean

    def bprop(self, x: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Gradient of the input (N, C, H, W) from that of the output (N, C)."""
        h, w = x.shape[2:]
        return (_spread_over_map(cast(dout / (h * w), x.dtype), h, w),)


class _DerivedScaleChannels(nn.Cell):
    """Multiply every channel of every image, with the gradient that MindSpore derives."""

    def construct(self, x: Tensor, scale: Tensor) -> Tensor:
        """(N, C, H, W), (N, C) float32 -> (N, C, H, W), of the type of the map."""
        return x * _spread_over_map(cast(scale, x.dtype), x.shape[2], x.shape[3])


class ScaleChannels(_DerivedScaleChannels):
    """Multiply every channel of every image by one value."""

    in_recomputed_block = _DerivedScaleChannels

    def bprop(self, x: Tensor, scale: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the map (N, C, H, W) and of the scale (N, C)."""
        # Without `depend` the compiler would reuse the map of the forward pass, and keep it in
        # memory until here.
        late = depend(cast(scale, x.dtype), dout)
        dx = dout * _spread_over_map(late, x.shape[2], x.shape[3])
        return dx, _sum_over_map(dout * x)


class AtLeast(nn.Cell):
    """Replace values below a bound by it, with the gradient of ``ops.clamp``.

    On CPU the framework's gradient of `clamp` keeps 24 bytes for each element as long as the
    compiled graph lives.

    Args:
        bound: the smallest value of the output.
    """

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def construct(self, x: Tensor) -> Tensor:
        """max(x, bound): (N, ...) -> (N, ...)."""
        return ops.clamp(x, min=self.bound)

    def bprop(self, x: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Gradient of the input (N, ...): 0 where the input is below the bound."""
        return (masked_fill(dout, less(x, self.bound), 0.0),)


class AddToCopies(nn.Cell):
    """Add one map to each of K maps that lie side by side along the channels.

    The gradient of the one map is a sum over K, computed as a matrix product: the gradient of a
    tile is a reduction, which is slow on CPU, and these maps are the widest of the network.

    Args:
        copies: K.
    """

    def __init__(self, copies: int) -> None:
        super().__init__()
        self.copies = copies

    def construct(self, y: Tensor, x: Tensor) -> Tensor:
        """(N, K * C, H, W), (N, C, H, W) -> (N, K * C, H, W)."""
        return y + ops.tile(x, (1, self.copies, 1, 1))

    def bprop(self, _y: Tensor, x: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the K maps (N, K * C, H, W) and of the one map (N, C, H, W)."""
        n = x.shape[0]
        ones = ops.ones((n, 1, self.copies), x.dtype)
        return dout, ops.bmm(ones, dout.reshape(n, self.copies, -1)).reshape(x.shape)


class InTurn(nn.Cell):
    """Start one branch of a network after another has ended, and the reverse in the backward pass.

    Norms over several processes send a message in each pass. Processes that send messages in
    different orders wait for each other forever, so two branches that send messages need an order.
    """

    def construct(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Let the input of the second branch depend on the output of the first.

        Args:
            x: (N, C, H, W), the input of both branches.
            first: (N, C', H', W'), the output of the first branch.

        Returns:
            The same two.
        """
        return ops.depend(x, first), first

    def bprop(
        self, _x: Tensor, _first: Tensor, _out: tuple, dout: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Gradients (N, C, H, W), (N, C', H', W'): the first branch's depends on the second's."""
        return dout[0], ops.depend(dout[1], dout[0])


class AnyOrder(nn.Cell):
    """The counterpart of `InTurn` for branches that send no messages: returns its inputs."""

    def construct(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two inputs (N, C, H, W), (N, C', H', W') unchanged."""
        return x, first


def sends_messages(cell: nn.Cell) -> bool:
    """Tell whether a cell contains a cell that declares `sends_messages`, as a norm over processes.

    Args:
        cell: for inputs (N, C, H, W) of any shape.

    Returns:
        Whether its forward pass sends messages to other processes.
    """
    return any(getattr(each, "sends_messages", False) for _, each in cell.cells_and_names())


def in_turn(*branches: nn.Cell) -> nn.Cell:
    """Build the cell between two branches of one input: `InTurn` where the second sends messages.

    Args:
        branches: cells of the second branch, (N, C, H, W) -> (N, C', H', W').

    Returns:
        A cell that maps the input (N, C, H, W) and the first branch's output (N, C', H', W') to
        themselves.
    """
    return InTurn() if any(map(sends_messages, branches)) else AnyOrder()
