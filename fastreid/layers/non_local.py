"""Non-local block (Wang et al., CVPR 2018), dot-product form."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn, ops

from .batch_norm import BatchNorm


class Non_local(nn.Cell):  # noqa: N801 - fast-reid's name
    """Add to every pixel a mean over all pixels, weighted by their similarity.

    The norm of the added branch starts at zero, so a new block returns its input.

    Args:
        in_channels: C of the input (N, C, H, W).
        norm: builds the norm of the added branch from its channel count.
    """

    def __init__(self, in_channels: int, *, norm: Callable[[int], nn.Cell] = BatchNorm) -> None:
        super().__init__()
        # fast-reid divides its reduction ratio by itself, so there is one channel at every ratio.
        inter_channels = 1
        self.g = _pointwise(in_channels, inter_channels)
        self.theta = _pointwise(in_channels, inter_channels)
        self.phi = _pointwise(in_channels, inter_channels)
        out_norm = norm(in_channels)
        ops.assign(out_norm.gamma, ops.zeros_like(out_norm.gamma))
        ops.assign(out_norm.beta, ops.zeros_like(out_norm.beta))
        self.W = nn.SequentialCell(_pointwise(inter_channels, in_channels), out_norm)

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same; computed in float32 where x is float16."""
        n, _, h, w = x.shape
        exact = x.astype(ms.float32)
        g = self.g(exact).reshape(n, -1, h * w)
        theta = self.theta(exact).reshape(n, -1, h * w)
        phi = self.phi(exact).reshape(n, -1, h * w)
        # (theta' phi) g' = theta' (phi g'): this order avoids the matrix of all pairs of pixels.
        mixed = ops.bmm(ops.bmm(g, phi.swapaxes(1, 2)) / (h * w), theta)
        return x + self.W(mixed.reshape(n, -1, h, w)).astype(x.dtype)


def _pointwise(in_channels: int, out_channels: int) -> nn.Conv2d:
    # fast-reid gives these convolutions PyTorch's default start values, which are MindSpore's too.
    return nn.Conv2d(in_channels, out_channels, 1, has_bias=True)
