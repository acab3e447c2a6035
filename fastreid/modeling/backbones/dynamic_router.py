"""The adaptors of ACL's stages and the router that weighs them.

Zhang et al., "Adaptive Cross-Domain Learning for Generalizable Person Re-Identification",
ECCV 2022, section 3.2.
"""

from __future__ import annotations

from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.layers import SELayer, SpatialMean, l2_normalize

from ..ops import MetaLinear
from .blocks import BlockCells

NUM_ADAPTORS = 4
REDUCTION = 16
# Upstream's fc_classifier knows three domains; it reaches no loss and is kept for checkpoints.
ROUTER_CLASSIFIER_DOMAINS = 3


class HyperRouter(nn.Cell):
    """Weigh the adaptors of a stage, image by image, with weights made from the image itself.

    Args:
        channels: C of the stage's feature.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = MetaLinear(channels, channels // REDUCTION)
        self.fc2 = MetaLinear(channels // REDUCTION, channels * NUM_ADAPTORS)
        self.fc_classifier = MetaLinear(channels * NUM_ADAPTORS, ROUTER_CLASSIFIER_DOMAINS)
        exclude_from_training(self.fc_classifier)
        self.mean = SpatialMean()

    def construct(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> weights of the adaptors (N, K), each row summing to one."""
        n, c = x.shape[:2]
        pooled = self.mean(x)
        hidden = ops.relu(l2_normalize(self.fc1(pooled)))
        dynamic = self.fc2(hidden).reshape(n, c, NUM_ADAPTORS)
        logits = ops.bmm(pooled.reshape(n, 1, c), dynamic).reshape(n, NUM_ADAPTORS)
        return ops.softmax(logits, -1)


class _AddToEach(nn.Cell):
    """Add one map to each of K maps, with the sum over K of its gradient as a matrix product.

    These maps are the widest of the network; the gradient of a tile would reduce them slowly.
    """

    def construct(self, y: Tensor, x: Tensor) -> Tensor:
        """(N, K * C, H, W), (N, C, H, W) -> (N, K * C, H, W)."""
        return y + ops.tile(x, (1, NUM_ADAPTORS, 1, 1))

    def bprop(self, _y: Tensor, x: Tensor, _out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the K maps and of the one."""
        n = x.shape[0]
        ones = ops.ones((n, 1, NUM_ADAPTORS), x.dtype)
        return dout, ops.bmm(ones, dout.reshape(n, NUM_ADAPTORS, -1)).reshape(x.shape)


class AdaptorBank(nn.Cell):
    """K bottlenecks in parallel on one input, written as one grouped bottleneck.

    Upstream repeats the input K times and groups the first convolution; a dense convolution on the
    one copy has the same weights and computes the same.

    Args:
        channels: C of the input and of each adaptor's output.
        planes: width of all 3x3 convolutions together.
        cells: the layers to build from.
        with_ibn: IBN in the first norm.
        with_se: squeeze and excitation before the sum.
    """

    def __init__(
        self, channels: int, planes: int, *, cells: BlockCells, with_ibn: bool, with_se: bool
    ) -> None:
        super().__init__()
        grouped = partial(cells.conv, groups=NUM_ADAPTORS)
        self.conv1 = cells.conv(channels, planes, 1)
        self.bn1 = cells.ibn(planes) if with_ibn else cells.norm(planes)
        self.conv2 = grouped(planes, planes, 3, padding=1)
        self.bn2 = cells.norm(planes)
        self.conv3 = grouped(planes, NUM_ADAPTORS * channels, 1)
        self.bn3 = cells.norm(NUM_ADAPTORS * channels)
        self.se = SELayer(NUM_ADAPTORS * channels) if with_se else nn.Identity()
        self.add_to_each = _AddToEach()

    def construct(self, x: Tensor, weights: Tensor) -> Tensor:
        """Run all adaptors and mix them.

        Args:
            x: (N, C, H, W).
            weights: (N, K), the router's.

        Returns:
            (N, C, H, W), the weighted sum over the K adaptors.
        """
        n = x.shape[0]
        y = ops.relu(self.bn1(self.conv1(x)))
        y = ops.relu(self.bn2(self.conv2(y)))
        y = self.se(self.bn3(self.conv3(y)))
        # Reshaped before the ReLU: after it, its gradient and the product's would keep a map each.
        y = ops.relu(self.add_to_each(y, x).reshape(n, NUM_ADAPTORS, -1))
        weights = weights.astype(y.dtype)
        return ops.bmm(weights.reshape(n, 1, NUM_ADAPTORS), y).reshape(x.shape)


def exclude_from_training(cell: nn.Cell) -> None:
    """Mark the parameters of a cell that no loss reaches: no gradient, no decay, no update."""
    for parameter in cell.get_parameters():
        parameter.requires_grad = False
