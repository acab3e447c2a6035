"""RepVGG for re-ID (Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, get_norm

from ..build import BACKBONE_REGISTRY, finish_backbone, spec_of_depth
from .blocks import FusedBlock, Norm, RepVGGBlock
from .fusion import FUSIBLE_NORMS
from .published import register_published
from .specs import DESIGNS, BlockSpec, repvgg_stages

register_published()


class RepVGG(nn.SequentialCell):
    """Blocks in sequence: the stem stage0, and stage1 to stage4, without classifier.

    From standardized images (N, 3, H, W) to features (N, out_channels, h, w). `out_channels` is the
    width of the last block.

    Args:
        stages: the blocks of the stem and of the four stages.
        norm: builds a norm from its channel count.
        fused: whether a block is one convolution, for evaluation with weights of `fuse_repvgg`.
    """

    gives_paths = False

    def __init__(
        self, stages: list[list[BlockSpec]], *, norm: Norm = BatchNorm, fused: bool = False
    ) -> None:
        build = FusedBlock if fused else partial(RepVGGBlock, norm=norm)
        stem, *others = stages
        cells: OrderedDict[str, nn.Cell] = OrderedDict(stage0=build(stem[0]))
        for number, specs in enumerate(others, 1):
            cells[f"stage{number}"] = nn.SequentialCell([build(spec) for spec in specs])
        super().__init__(cells)
        self.is_fused = fused
        self.out_channels = stages[-1][-1].out_channels


@BACKBONE_REGISTRY.register()
def build_repvgg_backbone(cfg: CfgNode) -> RepVGG:
    """Build the RepVGG of a config, with ImageNet weights if `PRETRAIN` is set.

    With `DEPLOY True` it is built in its fused form; the ImageNet weights are fused then.

    Raises:
        ValueError: if `DEPTH` is unknown, `FEAT_DIM` is not the width of this depth, the fused form
            of `NORM` does not exist, or the weights do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    design = spec_of_depth(DESIGNS, backbone.DEPTH, "a RepVGG")
    stages = repvgg_stages(design, last_stride=backbone.LAST_STRIDE)
    if backbone.DEPLOY and backbone.NORM not in FUSIBLE_NORMS:
        raise ValueError(
            f"MODEL.BACKBONE.DEPLOY True needs MODEL.BACKBONE.NORM {' or '.join(FUSIBLE_NORMS)}, "
            f"not {backbone.NORM}: only batch norms can be fused."
        )
    norm = partial(get_norm, backbone.NORM)
    model = RepVGG(stages, norm=norm, fused=backbone.DEPLOY)
    return finish_backbone(model, cfg, ignored=("WITH_IBN", "WITH_SE", "WITH_NL"))
