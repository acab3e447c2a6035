"""Layers that are built once and called often."""

import numpy as np
import torch
from mindspore import nn

from test.migration.pair import Chapter, Verdict

LAYERS = Chapter("Layers")
# Odd sizes, and negative values, show differences of padding.
IMAGES = np.random.RandomState(0).randn(2, 4, 7, 5).astype(np.float32)
ROWS = IMAGES[:, :, 0, 0]


class EvaluatedBatchNorm(torch.nn.BatchNorm2d):
    """A norm that stays in evaluation mode."""

    def train(self, mode=True):
        return super().train(mode=False)


def error_of(function, x):
    """Name of the error that a call raises, or "none"."""
    try:
        function(x)
    except NotImplementedError as error:
        return type(error).__name__
    return "none"


def share_of_zeros(x):
    return round(float((x == 0).sum()) / 10_000, 1)


@LAYERS.layer(
    IMAGES,
    guide=2,
    verdict=Verdict.RIGHT,
    trap_error="unexpected keyword argument 'inplace'",
    differs="`inplace` does not exist.",
)
class Relu:
    def pytorch():
        return torch.nn.ReLU(inplace=True)

    def mindspore():
        return nn.ReLU()

    def trap():
        return nn.ReLU(inplace=True)


@LAYERS.layer(IMAGES, guide=3, verdict=Verdict.RIGHT, differs="Nothing.")
class Sigmoid:
    def pytorch():
        return torch.nn.Sigmoid()

    def mindspore():
        return nn.Sigmoid()


@LAYERS.layer(
    ROWS,
    guide=10,
    verdict=Verdict.RIGHT,
    differs="Names of arguments: `in_channels`, `out_channels`, `has_bias`. The initial values "
    "have the same distribution.",
)
class Linear:
    def pytorch():
        return torch.nn.Linear(4, 3, bias=True)

    def mindspore():
        return nn.Dense(4, 3, has_bias=True)


@LAYERS.layer(
    IMAGES,
    guide=28,
    verdict=Verdict.WRONG,
    differs="The guide says that only `pad_mode` and `has_bias` differ. The default padding is "
    '`"same"`, there is no bias by default, and a `padding` is refused without '
    '`pad_mode="pad"`. The fifth positional argument is `pad_mode`, so that '
    "`Conv2d(4, 6, 3, 1, 1)` is an error. A padding is an integer or four of them.",
    trap_error="'pad' must be zero when 'pad_mode' is not 'pad'",
)
class Convolution:
    def pytorch():
        return torch.nn.Conv2d(4, 6, 3, padding=1)

    def mindspore():
        return nn.Conv2d(4, 6, 3, pad_mode="pad", padding=1, has_bias=True)

    def trap():
        return nn.Conv2d(4, 6, 3, padding=1)


@LAYERS.layer(
    IMAGES,
    differs="The number of groups is called `group`.",
    trap_error="unexpected keyword argument 'groups'",
)
class GroupedConvolution:
    def pytorch():
        return torch.nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False)

    def mindspore():
        return nn.Conv2d(4, 6, 3, pad_mode="pad", padding=1, group=2)

    def trap():
        return nn.Conv2d(4, 6, 3, pad_mode="pad", padding=1, groups=2)


@LAYERS.layer(
    IMAGES,
    guide=29,
    verdict=Verdict.WRONG,
    differs="The guide writes `planes` twice and a stride of 1; both are slips.",
    trap_error="must have the same shape",
)
class StridedConvolution:
    def pytorch():
        inplanes, planes, stride = 4, 6, 2
        return torch.nn.Conv2d(
            inplanes, planes, kernel_size=3, stride=stride, padding=1, bias=False
        )

    def mindspore():
        inplanes, planes, stride = 4, 6, 2
        return nn.Conv2d(
            inplanes,
            planes,
            kernel_size=3,
            stride=stride,
            pad_mode="pad",
            padding=1,
            has_bias=False,
        )

    def trap():
        planes = 6
        return nn.Conv2d(
            planes, planes, kernel_size=3, stride=1, pad_mode="pad", padding=1, has_bias=False
        )


@LAYERS.layer(
    IMAGES,
    guide=9,
    verdict=Verdict.WRONG,
    differs="The guide pads with zeros first. PyTorch pads with minus infinity, so that a window "
    "of negative values at the border differs; only after a ReLU the two agree.",
)
class MaxPooling:
    def pytorch():
        return torch.nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def mindspore():
        return nn.MaxPool2d(kernel_size=3, stride=2, pad_mode="pad", padding=1)

    def trap():
        return nn.SequentialCell(
            [
                nn.Pad(paddings=((0, 0), (0, 0), (1, 1), (1, 1)), mode="CONSTANT"),
                nn.MaxPool2d(kernel_size=3, stride=2),
            ]
        )


@LAYERS.layer(
    IMAGES - 5,
    differs='`pad_mode="same"` gives the same numbers for even sizes only.',
)
class MaxPoolingWithCeiling:
    def pytorch():
        return torch.nn.MaxPool2d(3, 2, ceil_mode=True)

    def mindspore():
        return nn.MaxPool2d(3, 2, pad_mode="pad", padding=0, ceil_mode=True)

    def trap():
        return nn.MaxPool2d(3, 2, pad_mode="same")


@LAYERS.layer(
    IMAGES,
    guide=21,
    verdict=Verdict.RIGHT,
    training=True,
    differs="`momentum` is the part that is kept: 0.9 is PyTorch's 0.1. The attribute "
    "`layer.momentum` then reads 0.1. The parameters are called `gamma`, `beta`, `moving_mean` and "
    "`moving_variance`.",
)
class BatchNorm:
    def pytorch():
        return torch.nn.BatchNorm2d(4, eps=1e-5, momentum=0.1)

    def mindspore():
        return nn.BatchNorm2d(4, eps=1e-5, momentum=0.9)

    def trap():
        return nn.BatchNorm2d(4, eps=1e-5, momentum=0.1)


@LAYERS.layer(
    IMAGES,
    guide=21,
    verdict=Verdict.WRONG,
    training=True,
    differs="The guide takes `use_batch_statistics` for `track_running_stats`. `False` normalizes "
    "with the running statistics, in training too, as a frozen norm does. `True` normalizes with "
    "those of the batch and moves the running ones, in evaluation too. `None` follows the mode.",
)
class FrozenBatchNorm:
    def pytorch():
        return EvaluatedBatchNorm(4)

    def mindspore():
        return nn.BatchNorm2d(4, use_batch_statistics=False)

    def trap():
        return nn.BatchNorm2d(4, use_batch_statistics=True)


@LAYERS.layer(
    IMAGES,
    guide=6,
    verdict=Verdict.RIGHT,
    differs="Nothing; names of parameters are `0.weight`, `1.weight` as in PyTorch.",
)
class Sequential:
    def pytorch():
        return torch.nn.Sequential(torch.nn.Conv2d(4, 6, 1, bias=False), torch.nn.Sigmoid())

    def mindspore():
        return nn.SequentialCell(nn.Conv2d(4, 6, 1), nn.Sigmoid())


@LAYERS.program(
    ROWS,
    guide=6,
    verdict=Verdict.WRONG,
    differs="The guide gives `nn.SequentialCell` for both. A list is `nn.CellList`; like "
    "PyTorch's, it cannot be called. A Python list of cells is not searched for parameters.",
)
class ModuleList:
    def pytorch(x):
        return error_of(torch.nn.ModuleList([torch.nn.ReLU()]), x)

    def mindspore(x):
        return error_of(nn.CellList([nn.ReLU()]), x)

    def trap(x):
        return error_of(nn.SequentialCell([nn.ReLU()]), x)


@LAYERS.program(
    np.ones((100, 100), np.float32),
    differs="The first positional argument is the probability to *keep*.",
)
class Dropout:
    def pytorch(x):
        return share_of_zeros(torch.nn.Dropout(0.3)(x))

    def mindspore(x):
        return share_of_zeros(nn.Dropout(p=0.3).set_train()(x))

    def trap(x):
        return share_of_zeros(nn.Dropout(0.3).set_train()(x))


@LAYERS.layer(IMAGES, differs="Nothing. Group norm with a group a channel is an instance norm.")
class GroupNorm:
    def pytorch():
        return torch.nn.GroupNorm(4, 4)

    def mindspore():
        return nn.GroupNorm(4, 4)
