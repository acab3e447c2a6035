"""ResNet for re-ID, with optional IBN, squeeze and excitation, and non-local blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import IBN, BatchNorm, Conv2d, StemMaxPool, get_norm
from fastreid.utils.checkpoint.expected_weights import expected_shapes
from fastreid.utils.checkpoint.names import export_weights, to_mindspore_weights
from fastreid.utils.checkpoint.recognition.advice import explain_misfit
from fastreid.utils.checkpoint.weights import load_weights

from .blocks import BasicBlock, BlockCells, Bottleneck, ResNetStage
from .build import BACKBONE_REGISTRY, check_feat_dim
from .pretrained import find_pretrained, read_pretrained
from .resnet_specs import ResNetSpec, resnet_spec

logger = logging.getLogger(__name__)

BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNet(nn.Cell):
    """A stem and four stages (He et al., CVPR 2016), without the classifier.

    Args:
        spec: block kind, stem width and stages.
        norm: builds a norm from its channel count.
        with_ibn: IBN in the blocks of all stages but the last (IBN-Net a).
        with_se: squeeze and excitation in every block.
    """

    gives_paths = False

    def __init__(
        self,
        spec: ResNetSpec,
        *,
        norm: Callable[[int], nn.Cell] = BatchNorm,
        with_ibn: bool = False,
        with_se: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, spec.stem_channels, 7, stride=2, padding=3)
        self.bn1 = norm(spec.stem_channels)
        self.maxpool = StemMaxPool()
        cells = BlockCells(conv=Conv2d, norm=norm, ibn=partial(IBN, batch_norm=norm))
        stages: list[ResNetStage] = []
        channels = spec.stem_channels
        for index, stage_spec in enumerate(spec.stages):
            is_last = index == len(spec.stages) - 1
            stage = ResNetStage(
                channels,
                stage_spec,
                block=BLOCKS[spec.block],
                cells=cells,
                non_local_norm=norm,
                with_ibn=with_ibn and not is_last,
                with_se=with_se,
            )
            channels = stage.out_channels
            stages.append(stage)
        self.stages = nn.CellList(stages)
        self.stage_strides = tuple(stage.stride for stage in stages)
        self.out_channels = channels

    def construct(self, x: Tensor) -> Tensor:
        """Standardized images (N, 3, H, W) -> features (N, out_channels, h, w)."""
        # Pooled before the ReLU, which commutes with the maximum: a quarter of the pixels.
        x = ops.relu(self.maxpool(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = stage(x)
        return x


@BACKBONE_REGISTRY.register()
def build_resnet_backbone(cfg: CfgNode) -> ResNet:
    """Build the ResNet of a config, with ImageNet weights if `PRETRAIN` is set.

    Raises:
        ValueError: if `FEAT_DIM` is not the width of this depth, or the weights do not fit.
        FileNotFoundError: if the weights are missing.
    """
    backbone = cfg.MODEL.BACKBONE
    spec = resnet_spec(backbone.DEPTH, last_stride=backbone.LAST_STRIDE, with_nl=backbone.WITH_NL)
    model = ResNet(
        spec,
        norm=partial(get_norm, backbone.NORM),
        with_ibn=backbone.WITH_IBN,
        with_se=backbone.WITH_SE,
    )
    check_feat_dim(cfg, model.out_channels)
    if backbone.PRETRAIN:
        path = find_pretrained(cfg)
        weights = read_pretrained(path, _needed(model))
        load_imagenet_weights(model, weights, source=str(path))
        logger.info("Loaded ImageNet weights from %s", path)
    return model


def load_imagenet_weights(model: ResNet, weights: dict[str, np.ndarray], *, source: str) -> None:
    """Load ImageNet weights into a plain ResNet: all of them, or none.

    Squeeze and excitation and non-local blocks keep their start values if the weights have none.

    Args:
        model: the ResNet.
        weights: PyTorch name -> array.
        source: the file of the weights, for messages.

    Raises:
        ValueError: if a tensor is missing, unknown or of another shape; the message describes the
            weights and names some of these tensors.
    """
    start = export_weights(model)
    optional = start.keys() - _needed(model).keys()
    have, want = ({k: tuple(v.shape) for k, v in arrays.items()} for arrays in (weights, start))
    faults = {
        "missing": sorted(want.keys() - optional - have.keys()),
        "unexpected": sorted(have.keys() - want.keys()),
        "of another shape": sorted(k for k in want if have.get(k, want[k]) != want[k]),
    }
    if any(faults.values()):
        raise ValueError(
            f"The weights of {source} do not fit MODEL.BACKBONE. "
            f"{explain_misfit(have, want, faults)}"
        )
    kept = sorted(optional - weights.keys())
    if kept:
        logger.info("%s has no weights for %d tensors, as %s", source, len(kept), kept[0])
    load_weights(model, to_mindspore_weights(model, {**start, **weights}))


def _needed(model: ResNet) -> dict[str, tuple[int, ...]]:
    """List the tensors of a ResNet without its optional blocks, PyTorch name -> shape."""
    shapes = expected_shapes(model).items()
    return {k: v for k, v in shapes if not (k.startswith("NL_") or ".se." in k)}
