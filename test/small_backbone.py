"""A backbone of two convolutions: training processes that prove nothing about nets compile fast.

Importing this registers it; `SMALL_BACKBONE` are its words for `merge_from_list`.
"""

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d
from fastreid.modeling import BACKBONE_REGISTRY

_WIDTH = 16
SMALL_BACKBONE = (
    *("MODEL.BACKBONE.NAME", "build_small_backbone"),
    *("MODEL.BACKBONE.FEAT_DIM", str(_WIDTH)),
)


class SmallBackbone(nn.Cell):
    """From images (N, 3, H, W) to features (N, 16, H / 4, W / 4), with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, _WIDTH, 3, stride=2, padding=1)
        self.bn1 = BatchNorm(_WIDTH)
        self.conv2 = Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1)
        self.bn2 = BatchNorm(_WIDTH)

    def construct(self, x: Tensor) -> Tensor:
        x = ops.relu(self.bn1(self.conv1(x)))
        return ops.relu(self.bn2(self.conv2(x)))


@BACKBONE_REGISTRY.register()
def build_small_backbone(cfg: CfgNode) -> SmallBackbone:  # noqa: ARG001 - the registry's form
    """Build it, whatever the config says."""
    return SmallBackbone()
