"""Backbones that compile in seconds, for tests of what surrounds them.

Importing this registers them; each constant holds words for `merge_from_list`.
"""

from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, Conv2d, get_norm
from fastreid.modeling import BACKBONE_REGISTRY
from fastreid.modeling.backbones.meta_dynamic_router_resnet import MetaDynamicRouterResNet
from fastreid.modeling.backbones.resnet import ResNet
from fastreid.modeling.backbones.resnet_specs import ResNetSpec, StageSpec

_WIDTH = 16


def _words(name: str, width: int) -> tuple[str, ...]:
    return ("MODEL.BACKBONE.NAME", name, "MODEL.BACKBONE.FEAT_DIM", str(width))


# Two convolutions with batch norms: for training processes that prove nothing about nets.
TWO_CONVOLUTIONS = _words("build_two_convolutions", _WIDTH)
# The first and the last stage of ACL's, and of a ResNet of basic blocks, narrow. Non-local blocks
# are in the last of ACL's only: depth 18 has none either.
TWO_ADAPTIVE_STAGES = _words("build_two_adaptive_stages", 8 * _WIDTH)
TWO_BASIC_STAGES = _words("build_two_basic_stages", 2 * _WIDTH)
# A single stage of ACL's, and of a ResNet of bottlenecks.
ONE_ADAPTIVE_STAGE = _words("build_one_adaptive_stage", 4 * _WIDTH)
ONE_BOTTLENECK_STAGE = _words("build_one_bottleneck_stage", 4 * _WIDTH)


_ONE_STAGE = ResNetSpec("bottleneck", 2 * _WIDTH, (StageSpec(_WIDTH, 2, 1, 0),))


class TwoConvolutions(nn.Cell):
    """From images (N, 3, H, W) to features (N, 16, H / 4, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, _WIDTH, 3, stride=2, padding=1)
        self.bn1 = BatchNorm(_WIDTH)
        self.conv2 = Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1)
        self.bn2 = BatchNorm(_WIDTH)

    def construct(self, x: Tensor) -> Tensor:
        x = ops.relu(self.bn1(self.conv1(x)))
        return ops.relu(self.bn2(self.conv2(x)))


def _two_stages(block: str, *, non_local: int) -> ResNetSpec:
    stages = (StageSpec(_WIDTH, 2, 1, 0), StageSpec(2 * _WIDTH, 2, 2, non_local))
    return ResNetSpec(block, _WIDTH, stages)


@BACKBONE_REGISTRY.register()
def build_two_convolutions(cfg: CfgNode) -> TwoConvolutions:  # noqa: ARG001 - the registry's form
    return TwoConvolutions()


def _adaptive(cfg: CfgNode, spec: ResNetSpec) -> MetaDynamicRouterResNet:
    options = cfg.MODEL.BACKBONE
    extras = {"with_ibn": options.WITH_IBN, "with_se": options.WITH_SE}
    return MetaDynamicRouterResNet(spec, norm=options.NORM, **extras)


def _plain(cfg: CfgNode, spec: ResNetSpec) -> ResNet:
    options = cfg.MODEL.BACKBONE
    extras = {"with_ibn": options.WITH_IBN, "with_se": options.WITH_SE}
    return ResNet(spec, norm=partial(get_norm, options.NORM), **extras)


@BACKBONE_REGISTRY.register()
def build_two_adaptive_stages(cfg: CfgNode) -> MetaDynamicRouterResNet:
    non_local = int(cfg.MODEL.BACKBONE.WITH_NL)
    return _adaptive(cfg, _two_stages("bottleneck", non_local=non_local))


@BACKBONE_REGISTRY.register()
def build_two_basic_stages(cfg: CfgNode) -> ResNet:
    return _plain(cfg, _two_stages("basic", non_local=0))


@BACKBONE_REGISTRY.register()
def build_one_adaptive_stage(cfg: CfgNode) -> MetaDynamicRouterResNet:
    return _adaptive(cfg, _ONE_STAGE)


@BACKBONE_REGISTRY.register()
def build_one_bottleneck_stage(cfg: CfgNode) -> ResNet:
    return _plain(cfg, _ONE_STAGE)
