"""Layers with PyTorch's conventions: norms, convolutions, pooling, softmax variants.

Operations written for speed or memory are in `kernels`.
"""

from .any_softmax import (
    ArcSoftmax,
    CircleSoftmax,
    CosSoftmax,
    LinearSoftmax,
    get_cls_layer,
)
from .batch_norm import (
    IBN,
    BatchNorm,
    FrozenBatchNorm,
    GroupNorm,
    InstanceNorm,
    held_statistics,
    running_statistics,
)
from .conv import Conv2d, Linear
from .kernels import (
    AddToCopies,
    InTurn,
    ScaleChannels,
    SpatialMean,
    StemMaxPool,
    in_turn,
    sends_messages,
)
from .non_local import Non_local
from .normalize import cosine_gaps, l2_normalize
from .norms import get_norm
from .pooling import (
    AdaptiveAvgMaxPool,
    ClipGlobalAvgPool,
    FastGlobalAvgPool,
    Flatten,
    GeneralizedMeanPooling,
    GeneralizedMeanPoolingP,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    get_pooling,
)
from .precise import exp, log1p, log_odds_against, softplus
from .se_layer import SELayer
from .splat import SplAtConv2d
from .sync_batch_norm import SyncBatchNorm

__all__ = [
    "IBN",
    "AdaptiveAvgMaxPool",
    "AddToCopies",
    "ArcSoftmax",
    "BatchNorm",
    "CircleSoftmax",
    "ClipGlobalAvgPool",
    "Conv2d",
    "CosSoftmax",
    "FastGlobalAvgPool",
    "Flatten",
    "FrozenBatchNorm",
    "GeneralizedMeanPooling",
    "GeneralizedMeanPoolingP",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Identity",
    "GroupNorm",
    "InTurn",
    "InstanceNorm",
    "Linear",
    "LinearSoftmax",
    "Non_local",
    "SELayer",
    "ScaleChannels",
    "SpatialMean",
    "SplAtConv2d",
    "StemMaxPool",
    "SyncBatchNorm",
    "cosine_gaps",
    "exp",
    "get_cls_layer",
    "get_norm",
    "get_pooling",
    "held_statistics",
    "in_turn",
    "l2_normalize",
    "log1p",
    "log_odds_against",
    "running_statistics",
    "sends_messages",
    "softplus",
]
