"""The adaptors of ACL's stages and the router that weights them.

Zhang et al., "Adaptive Cross-Domain Learning for Generalizable Person Re-Identification",
ECCV 2022, section 3.2.
"""

from __future__ import annotations

from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.layers import AddToCopies, SELayer, SpatialMean, l2_normalize

from ..ops import MetaLinear
from .blocks import BlockCells

NUM_ADAPTORS = 4
REDUCTION = 16
# Outputs of upstream's fc_classifier, which no loss reaches; it is kept for its checkpoints.
ROUTER_CLASSIFIER_DOMAINS = 3


class HyperRouter(nn.Cell):
    """Compute the weights of a stage's adaptors for each image.

    From the pooled feature of an image, two linear layers generate the matrix of a third one, which
    maps the same pooled feature to the weights.

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
        matrices = self.fc2(hidden).reshape(n, c, NUM_ADAPTORS)
        logits = ops.bmm(pooled.reshape(n, 1, c), matrices).reshape(n, NUM_ADAPTORS)
        return ops.softmax(logits, -1)


class AdaptorBank(nn.Cell):
    """K bottlenecks in parallel on one input, written as one grouped bottleneck.

    Upstream repeats the input K times and groups the first convolution. A dense convolution of the
    input itself has the same weights and the same result.

    Args:
        channels: C of the input and of each adaptor's output.
        planes: width of all 3x3 convolutions together.
        cells: the kinds of layer.
        with_ibn: IBN as the first norm.
        with_se: squeeze and excitation before the sum with the input.
    """

    recomputable = True

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
        self.add_to_each = AddToCopies(NUM_ADAPTORS)

    def construct(self, x: Tensor, weights: Tensor) -> Tensor:
        """Compute the weighted sum of all adaptors' outputs.

        Args:
            x: (N, C, H, W).
            weights: (N, K), of the router.

        Returns:
            (N, C, H, W).
        """
        n = x.shape[0]
        y = ops.relu(self.bn1(self.conv1(x)))
        y = ops.relu(self.bn2(self.conv2(y)))
        y = self.se(self.bn3(self.conv3(y)))
        # Reshaped before the ReLU: the gradients of the ReLU and of the product then keep one map
        # in memory, not two.
        y = ops.relu(self.add_to_each(y, x).reshape(n, NUM_ADAPTORS, -1))
        weights = weights.astype(y.dtype)
        return ops.bmm(weights.reshape(n, 1, NUM_ADAPTORS), y).reshape(x.shape)


def exclude_from_training(cell: nn.Cell) -> None:
    """Exclude the parameters of a cell that no loss reaches from gradients, decay and updates."""
    for parameter in cell.get_parameters():
        parameter.requires_grad = False
