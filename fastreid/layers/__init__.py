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
    InstanceNorm,
    get_norm,
    held_statistics,
    running_statistics,
)
from .conv import Conv2d, Linear, StemMaxPool
from .non_local import Non_local
from .normalize import l2_normalize
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
from .se_layer import SELayer
from .spatial import ScaleChannels, SpatialMean

__all__ = [
    "IBN",
    "AdaptiveAvgMaxPool",
    "ArcSoftmax",
    "BatchNorm",
    "CircleSoftmax",
    "ClipGlobalAvgPool",
    "Conv2d",
    "CosSoftmax",
    "FastGlobalAvgPool",
    "Flatten",
    "GeneralizedMeanPooling",
    "GeneralizedMeanPoolingP",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Identity",
    "InstanceNorm",
    "Linear",
    "LinearSoftmax",
    "Non_local",
    "SELayer",
    "ScaleChannels",
    "SpatialMean",
    "StemMaxPool",
    "get_cls_layer",
    "get_norm",
    "get_pooling",
    "held_statistics",
    "l2_normalize",
    "running_statistics",
]
