"""Between maps (N, C, H, W) and one value per channel (N, C): means, and scales.

On CPU a reduction over two axes and a broadcast take several times as long as what is used here, a
product with a column of ones and a tile; both cells bring their own gradients, made of the same.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

# Primitives: functions and methods cost compiling time in every use, and those that look their
# primitive up in a cache do not compile inside a bprop.
_cast, _depend, _matmul = ops.Cast(), ops.Depend(), ops.MatMul()
_reshape, _shape, _tile = ops.Reshape(), ops.Shape(), ops.Tile()


def _sum_over_map(x: Tensor) -> Tensor:
    """(N, C, H, W), float32 or float16 -> (N, C) float32."""
    n, c, h, w = _shape(x)
    rows = _reshape(_cast(x, ms.float32), (n * c, h * w))
    return _reshape(_matmul(rows, ops.ones((h * w, 1), ms.float32)), (n, c))


def _spread_over_map(values: Tensor, h: int, w: int) -> Tensor:
    """(N, C) -> (N, C, H, W), every pixel of a channel the same."""
    n, c = _shape(values)
    return _reshape(_tile(_reshape(values, (n * c, 1)), (1, h * w)), (n, c, h, w))


class SpatialMean(nn.Cell):
    """Average over height and width, in float32."""

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W), float32 or float16 -> (N, C) float32."""
        return _sum_over_map(x) / (x.shape[2] * x.shape[3])

    def bprop(self, x: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Gradient of the input (N, C, H, W) from that of the output (N, C)."""
        h, w = x.shape[2:]
        return (_spread_over_map(_cast(dout / (h * w), x.dtype), h, w),)


class ScaleChannels(nn.Cell):
    """Multiply every channel of every image by a value of its own."""

    def construct(self, x: Tensor, scale: Tensor) -> Tensor:
        """(N, C, H, W), (N, C) float32 -> (N, C, H, W), of the type of the map."""
        return x * _spread_over_map(_cast(scale, x.dtype), x.shape[2], x.shape[3])

    def bprop(self, x: Tensor, scale: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the map (N, C, H, W) and of the scale (N, C)."""
        # Spread once more, after the forward pass: the same expression would be kept from there.
        late = _depend(_cast(scale, x.dtype), dout)
        dx = dout * _spread_over_map(late, x.shape[2], x.shape[3])
        return dx, _sum_over_map(dout * x)
