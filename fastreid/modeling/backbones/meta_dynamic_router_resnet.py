"""ACL's backbone: a ResNet in which every stage ends in adaptors and a dynamic router.

Zhang et al., "Adaptive Cross-Domain Learning for Generalizable Person Re-Identification",
ECCV 2022, section 3.2; upstream ``meta_dynamic_router_resnet.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import (
    ScaleChannels,
    SpatialMean,
    StemMaxPool,
    get_norm,
    in_turn,
)

from ..ops import (
    MetaConv2d,
    MetaGate,
    MetaIBNNorm,
    MetaINNorm,
    MetaLinear,
    mark_adaptor,
    meta_norm,
)
from .blocks import BlockCells, Bottleneck, ResNetStage
from .build import BACKBONE_REGISTRY, check_feat_dim
from .dynamic_router import NUM_ADAPTORS, REDUCTION, AdaptorBank, HyperRouter, exclude_from_training
from .meta_dynamic_router_weights import load_inflated
from .resnet_specs import ResNetSpec, StageSpec, resnet_spec

INVARIANT_CELLS = BlockCells(MetaConv2d, MetaINNorm, MetaIBNNorm)


def meta_cells(norm: Callable[[int], nn.Cell]) -> BlockCells:
    """Choose Meta cells as the layers of residual blocks.

    Args:
        norm: builds a batch norm from its channel count.

    Returns:
        The convolution, the norm and the IBN.
    """
    return BlockCells(MetaConv2d, norm, partial(MetaIBNNorm, batch_norm=norm))


class MetaSELayer(nn.Cell):
    """Squeeze and excitation (Hu et al., CVPR 2018) made of Meta cells.

    Args:
        channels: C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = MetaLinear(channels, channels // REDUCTION)
        self.fc2 = MetaLinear(channels // REDUCTION, channels)
        self.mean = SpatialMean()
        self.scale = ScaleChannels()

    def construct(self, x: Tensor) -> Tensor:
        """Rescale the channels: (N, C, H, W) -> the same."""
        return self.scale(x, ops.sigmoid(self.fc2(ops.relu(self.fc1(self.mean(x))))))


class AdaptiveStage(nn.Cell):
    """One stage: residual blocks, then an invariant adaptor and K specific ones, fused.

    The cell `map` belongs to an output of upstream's that no loss uses. It does not run; its
    parameters are kept for checkpoints.

    Args:
        in_channels: channels of the input.
        spec: width, blocks (the adaptors replace the last one), stride, non-local blocks.
        blocks_with_ibn: IBN in the residual blocks.
        adaptors_with_ibn: IBN in the specific adaptors.
        with_se: squeeze and excitation in blocks and adaptors.
        norm: name of the batch norm: "BN" or "syncBN".
    """

    def __init__(
        self,
        in_channels: int,
        spec: StageSpec,
        *,
        blocks_with_ibn: bool,
        adaptors_with_ibn: bool,
        with_se: bool,
        norm: str,
    ) -> None:
        super().__init__()
        cells = meta_cells(meta_norm(norm))
        residual = spec._replace(
            blocks=spec.blocks - 1, non_local=min(spec.non_local, spec.blocks - 1)
        )
        self.residual = ResNetStage(
            in_channels,
            residual,
            block=Bottleneck,
            cells=cells,
            non_local_norm=partial(get_norm, norm),
            with_ibn=blocks_with_ibn,
            with_se=with_se,
        )
        channels = self.residual.out_channels
        self.out_channels = channels
        self.stride = spec.stride
        self.adaptor_base = mark_adaptor(
            Bottleneck(channels, spec.planes, cells=INVARIANT_CELLS, with_se=with_se)
        )
        self.adaptor_sub = mark_adaptor(
            AdaptorBank(
                channels, spec.planes, cells=cells, with_ibn=adaptors_with_ibn, with_se=with_se
            )
        )
        self.router = HyperRouter(channels)
        self.invariant_norm = cells.norm(channels)
        self.specific_norm = cells.norm(channels)
        self.in_turn = in_turn(self.adaptor_sub, self.specific_norm)
        self.meta_fuse = MetaGate(channels)
        self.meta_se = MetaSELayer(channels)
        self.map = meta_norm(norm)(channels, bias_freeze=True)
        exclude_from_training(self.map)

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, in_channels, H, W) -> feature (N, C, H / stride, W / stride), weights (N, K)."""
        x = self.residual(x)
        weights = self.router(x)
        gate = self.meta_fuse()
        # The gate is multiplied into scale and shift of the norms, not into the maps.
        invariant = self.invariant_norm.scaled(self.adaptor_base(x), gate)
        x, invariant = self.in_turn(x, invariant)  # an order for messages of synchronised norms
        specific = self.specific_norm.scaled(self.adaptor_sub(x, weights), 1 - gate)
        return self.meta_se(invariant + specific), weights


class MetaDynamicRouterResNet(nn.Cell):
    """The whole backbone: a stem and adaptive stages.

    Args:
        spec: stem width and stages; the adaptors replace the last residual block of each stage.
        with_ibn: IBN in the residual blocks of stages 1 to 3 and in every stage's adaptors.
        with_se: squeeze and excitation in blocks and adaptors.
        norm: name of the batch norm: "BN" or "syncBN".
    """

    gives_paths = True

    def __init__(self, spec: ResNetSpec, *, with_ibn: bool, with_se: bool, norm: str) -> None:
        super().__init__()
        self.conv1 = MetaConv2d(3, spec.stem_channels, 7, stride=2, padding=3)
        self.bn1 = meta_norm(norm)(spec.stem_channels)
        self.maxpool = StemMaxPool()
        stages, channels = [], spec.stem_channels
        for index, stage_spec in enumerate(spec.stages):
            is_last = index == len(spec.stages) - 1
            stage = AdaptiveStage(
                channels,
                stage_spec,
                blocks_with_ibn=with_ibn and not is_last,
                adaptors_with_ibn=with_ibn,
                with_se=with_se,
                norm=norm,
            )
            channels = stage.out_channels
            stages.append(stage)
        self.stages = nn.CellList(stages)
        self.stage_strides = tuple(stage.stride for stage in stages)
        # A row of paths has this shape: for each stage, the weights of its adaptors.
        self.path_shape = (len(stages), NUM_ADAPTORS)
        self.out_channels = channels

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Extract features.

        Args:
            x: (N, 3, H, W), standardised.

        Returns:
            Features (N, C, H / 16, W / 16) and paths (N, 4 * K), the routers' weights side by side.
        """
        # Pooled before the ReLU, which commutes with the maximum: a quarter of the pixels.
        x = ops.relu(self.maxpool(self.bn1(self.conv1(x))))
        paths: tuple[Tensor, ...] = ()
        for stage in self.stages:
            x, weights = stage(x)
            paths = paths + (weights,)
        return x, ops.cat(paths, -1)


@BACKBONE_REGISTRY.register()
def build_meta_dynamic_router_resnet_backbone(cfg: CfgNode) -> MetaDynamicRouterResNet:
    """Build ACL's backbone (called DR50 with DEPTH 50x) from `cfg.MODEL.BACKBONE`.

    Raises:
        ValueError: for a depth without bottlenecks, or a FEAT_DIM that is not the depth's.
        FileNotFoundError: where PRETRAIN is on and its file is missing.
    """
    options = cfg.MODEL.BACKBONE
    spec = resnet_spec(options.DEPTH, last_stride=options.LAST_STRIDE, with_nl=options.WITH_NL)
    if spec.block != "bottleneck":
        raise ValueError(
            f"MODEL.BACKBONE.DEPTH {options.DEPTH!r} is made of basic blocks; "
            "build_meta_dynamic_router_resnet_backbone needs bottlenecks: 50x, 101x or tiny."
        )
    backbone = MetaDynamicRouterResNet(
        spec, with_ibn=options.WITH_IBN, with_se=options.WITH_SE, norm=options.NORM
    )
    check_feat_dim(cfg, backbone.out_channels)
    if options.PRETRAIN:
        load_inflated(backbone, cfg)
    return backbone
