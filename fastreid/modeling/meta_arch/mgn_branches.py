"""The trunk of an MGN and its three branches, made from one ResNet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, evaluation_image_size, training_image_size
from fastreid.layers import IBN, Conv2d, StemMaxPool, get_norm
from fastreid.utils.checkpoint.mgn_names import baseline_name
from fastreid.utils.checkpoint.names import export_weights, to_torch_name

from ..backbones import build_backbone, map_sizes
from ..backbones.blocks import BlockCells, Bottleneck, residual_blocks
from ..backbones.resnet import ResNet
from ..backbones.resnet_specs import resnet_spec

logger = logging.getLogger(__name__)


class Branch(NamedTuple):
    """One branch of an MGN.

    Attributes:
        name: name of the part of the model.
        strips: number of horizontal strips with a head of their own; 0: the whole map only.
    """

    name: str
    strips: int

    @property
    def head_names(self) -> tuple[str, ...]:
        """Names of the heads without "_head": of the whole map, then of the strips from the top."""
        return (self.name, *(f"{self.name}{number + 1}" for number in range(self.strips)))


BRANCHES = (Branch("b1", 0), Branch("b2", 2), Branch("b3", 3))
TRUNK = "backbone"


def build_trunk_and_branches(cfg: CfgNode) -> dict[str, nn.Cell]:
    """Build the parts of an MGN before its heads, with the start values of a ResNet's.

    Args:
        cfg: the whole configuration; its ResNet may have ImageNet weights.

    Returns:
        Name of the part -> the part: "backbone" is the ResNet up to the first block of stage 3,
        from images (N, 3, H, W) to (N, 1024, h, w) for ResNet50. "b1", "b2" and "b3" are copies of
        its other blocks, from these maps to (N, FEAT_DIM, h', w'). The last stage of "b1" has
        `LAST_STRIDE`; that of the others has stride 1.

    Raises:
        ValueError: for another backbone than a ResNet of bottlenecks, or images whose maps cannot
            be divided into the strips.
    """
    resnet = _build_resnet(cfg)
    _check_strips(cfg, resnet)
    parts = _Parts(cfg)
    cells = {TRUNK: parts.trunk()}
    for branch in BRANCHES:
        stride = 1 if branch.strips else cfg.MODEL.BACKBONE.LAST_STRIDE
        cells[branch.name] = parts.branch(stride)
    _copy_weights(resnet, cells)
    return cells


class _Parts:
    """Builds parts of the ResNet of a config as sequences, as fast-reid names their tensors."""

    def __init__(self, cfg: CfgNode) -> None:
        options = cfg.MODEL.BACKBONE
        norm = partial(get_norm, options.NORM)
        # The weights are copied later, so they need no random start values.
        conv = partial(Conv2d, weight_init="zeros")
        self.cells = BlockCells(conv, norm, partial(IBN, batch_norm=norm))
        self.spec = resnet_spec(options.DEPTH, last_stride=options.LAST_STRIDE)
        self.with_ibn, self.with_se = options.WITH_IBN, options.WITH_SE

    def trunk(self) -> nn.SequentialCell:
        """Build the stem, two stages and the first block of the third."""
        stem_channels = self.spec.stem_channels
        return nn.SequentialCell(
            self.cells.conv(3, stem_channels, 7, stride=2, padding=3),
            self.cells.norm(stem_channels),
            # The maximum commutes with the ReLU, and leaves a quarter of the pixels.
            StemMaxPool(),
            nn.ReLU(),
            nn.SequentialCell(*self._blocks(0)),
            nn.SequentialCell(*self._blocks(1)),
            self._blocks(2)[0],
        )

    def branch(self, last_stride: int) -> nn.SequentialCell:
        """Build the other blocks of the third stage, and the last stage."""
        return nn.SequentialCell(
            nn.SequentialCell(*self._blocks(2)[1:]),
            nn.SequentialCell(*self._blocks(3, stride=last_stride)),
        )

    def _blocks(self, stage: int, stride: int | None = None) -> list[nn.Cell]:
        spec = self.spec.stages[stage]
        is_last = stage == len(self.spec.stages) - 1
        return residual_blocks(
            self._in_channels(stage),
            spec if stride is None else spec._replace(stride=stride),
            block=Bottleneck,
            cells=self.cells,
            with_ibn=self.with_ibn and not is_last,
            with_se=self.with_se,
        )

    def _in_channels(self, stage: int) -> int:
        if stage == 0:
            return self.spec.stem_channels
        return self.spec.stages[stage - 1].planes * Bottleneck.expansion


def _build_resnet(cfg: CfgNode) -> ResNet:
    options = cfg.MODEL.BACKBONE
    if options.NAME != "build_resnet_backbone":
        raise ValueError(
            f"MODEL.META_ARCHITECTURE MGN divides a ResNet into branches, not "
            f"MODEL.BACKBONE.NAME {options.NAME}; set it to build_resnet_backbone."
        )
    spec = resnet_spec(options.DEPTH, last_stride=options.LAST_STRIDE)
    if spec.block != "bottleneck":
        raise ValueError(
            f"MODEL.META_ARCHITECTURE MGN needs a ResNet of bottlenecks, not MODEL.BACKBONE.DEPTH "
            f"{options.DEPTH!r}; set it to '50x' or '101x'."
        )
    if options.WITH_NL:
        logger.warning("MGN has no non-local blocks: MODEL.BACKBONE.WITH_NL True has no effect")
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.BACKBONE.WITH_NL = False
    return build_backbone(cfg)


def strip_height(height: int, strips: int) -> int:
    """Compute the height of all strips but the last, which has the rest of the rows.

    Args:
        height: rows of the map.
        strips: number of strips.

    Returns:
        Rows of a strip; 0 if there would be fewer strips.

    Examples:
        >>> from fastreid.modeling.meta_arch.mgn_branches import strip_height
        >>> strip_height(24, strips=2), strip_height(24, strips=3), strip_height(4, strips=3)
        (12, 8, 0)
    """
    rows = -(-height // strips)
    return rows if height > rows * (strips - 1) else 0


def _check_strips(cfg: CfgNode, resnet: ResNet) -> None:
    sizes = {"SIZE_TRAIN": training_image_size(cfg), "SIZE_TEST": evaluation_image_size(cfg)}
    for key, (height, width) in sizes.items():
        if _divides(resnet, height, width):
            continue
        enough = height
        while not _divides(resnet, enough, width):
            enough += 1
        raise ValueError(
            f"INPUT.{key} (or INPUT.CROP.SIZE) {[height, width]} gives maps that MGN cannot divide "
            f"into {max(branch.strips for branch in BRANCHES)} strips; the next height that works "
            f"is {enough}."
        )


def _divides(resnet: ResNet, height: int, width: int) -> bool:
    rows = map_sizes(resnet, height, width)["stages.2"][0]
    return all(strip_height(rows, branch.strips) for branch in BRANCHES if branch.strips)


def _copy_weights(resnet: ResNet, cells: Mapping[str, nn.Cell]) -> None:
    """Give every tensor of the parts the value of its counterpart in the ResNet."""
    values = {f"{TRUNK}.{name}": value for name, value in export_weights(resnet).items()}
    for part, cell in cells.items():
        for parameter in cell.get_parameters():
            value = values[baseline_name(to_torch_name(f"{part}.{parameter.name}"))]
            ops.assign(parameter, Tensor(value))
