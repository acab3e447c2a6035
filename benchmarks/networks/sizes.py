"""Parameters and operations of a backbone."""

from __future__ import annotations

from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor

from benchmarks.floor import forward_gflops
from fastreid.modeling import build_backbone

from .families import Family


class Sizes(NamedTuple):
    """Sizes of one backbone.

    Attributes:
        network: name of its family.
        depth: MODEL.BACKBONE.DEPTH.
        parameters: number of trained values.
        gflop: 10^9 operations of convolutions, linear layers, gates and attention in the forward
            pass of one image; a multiply-add counts as two.
        feat_dim: channels of the output.
    """

    network: str
    depth: str
    parameters: int
    gflop: float
    feat_dim: int


def sizes_of(name: str, family: Family, depth: str, size: tuple[int, int]) -> Sizes:
    """Build a member of a family and count.

    Args:
        name: of the family.
        family: a registered one.
        depth: MODEL.BACKBONE.DEPTH.
        size: height and width of the image, in pixels.
    """
    ms.set_context(mode=ms.PYNATIVE_MODE)
    cfg = family.config(depth)
    cfg.merge_from_list(["INPUT.SIZE_TRAIN", str(list(size)), "INPUT.SIZE_TEST", str(list(size))])
    backbone = build_backbone(cfg).set_train(False)
    layers = forward_gflops(backbone, Tensor(np.zeros((1, 3, *size), np.float32)))
    parameters = sum(parameter.size for parameter in backbone.trainable_params())
    return Sizes(name, depth, parameters, sum(layers.values()), cfg.MODEL.BACKBONE.FEAT_DIM)
