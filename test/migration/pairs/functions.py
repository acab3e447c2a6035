"""Functions of tensors with weights: linear maps, convolutions, norms, pooling."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, mint, nn, ops
from torch.nn import functional

from test.migration.pair import Chapter, Verdict

FUNCTIONS = Chapter("Functions with weights, norms and pooling")
RNG = np.random.RandomState(1)
IMAGES = RNG.randn(2, 4, 7, 5).astype(np.float32)
KERNELS = RNG.randn(6, 2, 3, 3).astype(np.float32)
BIAS = RNG.randn(6).astype(np.float32)
ROWS = RNG.randn(5, 4).astype(np.float32)
MATRIX = RNG.randn(6, 4).astype(np.float32)
SCALE, SHIFT = np.abs(RNG.randn(2, 4)).astype(np.float32)
MEAN, VARIANCE = np.abs(RNG.randn(2, 4)).astype(np.float32)
SERIES = RNG.randn(2, 3, 6).astype(np.float32)


class PadsByFunction(nn.Cell):
    def construct(self, x):
        return ops.pad(x, (0, 1, 0, 1), mode="constant")


class SquaresOf(nn.Cell):
    """The sum of the squares of a layer's outputs."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def construct(self, x):
        return self.layer(x).square().sum()


def second_gradient(layer, x):
    """The gradient of the sum of squares, as the second call gives it."""
    gradient = ms.grad(SquaresOf(layer))
    gradient(x)
    return gradient(x)


@FUNCTIONS.call(ROWS, MATRIX, BIAS, guide=11, verdict=Verdict.RIGHT, differs="The name.")
class Linear:
    def pytorch(x, weight, bias):
        return functional.linear(x, weight, bias)

    def mindspore(x, weight, bias):
        return ops.dense(x, weight, bias)


@FUNCTIONS.call(
    ROWS,
    MATRIX,
    BIAS,
    guide=11,
    verdict=Verdict.WRONG,
    gradient=False,
    trap_in=("graph",),
    trap_error="attribute 'weight'",
    differs="The guide's second way builds a layer in the call and sets its weights. Graph mode "
    "refuses to set them. Without the assignment the layer is compiled into random constants, "
    "which no optimizer sees.",
)
class LinearByLayer:
    def pytorch(x, weight, bias):
        return functional.linear(x, weight, bias)

    def mindspore(x, weight, bias):
        return ops.dense(x, weight, bias)

    def trap(x, weight, bias):
        linear = nn.Dense(4, 6)
        linear.weight = weight
        linear.bias = bias
        return linear(x)


@FUNCTIONS.call(
    ROWS,
    MATRIX,
    BIAS,
    guide=60,
    verdict=Verdict.RIGHT,
    differs="`ops.dense` also takes a bias of `None`.",
)
class LinearByProduct:
    def pytorch(x, weight, bias):
        return functional.linear(x, weight, bias)

    def mindspore(x, weight, bias):
        return ops.matmul(x, weight.T) + bias


@FUNCTIONS.call(
    IMAGES,
    KERNELS,
    BIAS,
    guide=20,
    verdict=Verdict.WRONG,
    differs="The guide builds a layer in every call: graph mode refuses it, and pynative mode "
    "leaves out the bias. `ops.conv2d` takes the weights; `pad_mode` stands before `padding`.",
    trap_error="attribute 'weight'",
)
class Convolution:
    def pytorch(x, weight, bias):
        return functional.conv2d(x, weight, bias, stride=2, padding=1, dilation=1, groups=2)

    def mindspore(x, weight, bias):
        return ops.conv2d(
            x, weight, bias, stride=2, pad_mode="pad", padding=1, dilation=1, groups=2
        )

    def trap(x, weight, bias):
        conv = nn.Conv2d(4, 6, 3, stride=2, pad_mode="pad", padding=1, group=2)
        conv.weight = weight
        conv.bias = bias
        return conv(x)


@FUNCTIONS.program(
    IMAGES,
    KERNELS,
    BIAS,
    guide=20,
    verdict=Verdict.WRONG,
    differs="With parameters, and outside of compiled functions, the guide's layer runs, but "
    "ignores the bias: it is built without `has_bias=True`.",
)
class ConvolutionByLayer:
    def pytorch(x, weight, bias):
        return functional.conv2d(x, weight, bias, padding=1, groups=2)

    def mindspore(x, weight, bias):
        return ops.conv2d(x, weight, bias, 1, "pad", 1, 1, 2)

    def trap(x, weight, bias):
        conv = nn.Conv2d(4, 6, 3, pad_mode="pad", padding=1, group=2)
        conv.weight = Parameter(weight)
        conv.bias = Parameter(bias)
        return conv(x)


@FUNCTIONS.program(
    *(IMAGES, MEAN, VARIANCE, SCALE, SHIFT),
    guide=22,
    verdict=Verdict.RIGHT,
    differs="Here `momentum` is PyTorch's, not one minus it. The names are `input_x`, "
    "`running_mean`, `running_var`; statistics of `None` are an error. The running statistics are "
    "changed in place.",
)
class BatchNorm:
    def pytorch(x, mean, variance, weight, bias):
        y = functional.batch_norm(x, mean, variance, weight, bias, True, 0.1, 1e-5)
        return y, mean, variance

    def mindspore(x, mean, variance, weight, bias):
        y = ops.batch_norm(x, mean, variance, weight, bias, True, 0.1, 1e-5)
        return y, mean, variance

    def trap(x, mean, variance, weight, bias):
        y = ops.batch_norm(x, mean, variance, weight, bias, True, 0.9, 1e-5)
        return y, mean, variance


@FUNCTIONS.call(
    *(IMAGES, SCALE, SHIFT),
    differs="To normalize with the statistics of the batch and keep no others: a momentum of 0, "
    "and statistics that are not used.",
    trap_error="None",
)
class BatchNormWithoutStatistics:
    def pytorch(x, weight, bias):
        return functional.batch_norm(x, None, None, weight, bias, training=True)

    def mindspore(x, weight, bias):
        zeros, ones = ops.zeros_like(weight), ops.ones_like(weight)
        return ops.batch_norm(x, zeros, ones, weight, bias, True, 0.0, 1e-5)

    def trap(x, weight, bias):
        return ops.batch_norm(x, None, None, weight, bias, True, 0.1, 1e-5)


@FUNCTIONS.call(
    *(IMAGES, SCALE, SHIFT),
    guide=23,
    verdict=Verdict.WRONG,
    trap_error="InstanceNorm",
    differs="The guide gives a layer for a function, in a line that is not valid Python, and "
    "`nn.InstanceNorm2d` does not run on CPU. A group norm with a group a channel does the same "
    "everywhere. Faster: a batch norm of the maps as (1, N * C, H, W).",
)
class InstanceNorm:
    def pytorch(x, weight, bias):
        return functional.instance_norm(x, None, None, weight, bias, eps=1e-5)

    def mindspore(x, weight, bias):
        return ops.group_norm(x, 4, weight, bias, 1e-5)

    def trap(x, weight, bias):
        return nn.InstanceNorm2d(4, eps=1e-5, affine=True)(x)


@FUNCTIONS.call(
    IMAGES,
    guide=12,
    verdict=Verdict.RIGHT,
    differs="Equal. A mean over height and width is slow on CPU; see the next row.",
)
class AveragePoolingToOne:
    def pytorch(x):
        return functional.adaptive_avg_pool2d(x, 1)

    def mindspore(x):
        return ops.ReduceMean(keep_dims=True)(x, (2, 3))


@FUNCTIONS.call(
    IMAGES,
    differs="The same mean as a matrix product, about ten times faster on CPU.",
)
class SpatialMean:
    def pytorch(x):
        return x.mean(dim=(2, 3))

    def mindspore(x):
        return ops.matmul(x.reshape(2, 4, 35), ops.ones(35) / 35)


@FUNCTIONS.call(
    IMAGES,
    guide=45,
    verdict=Verdict.RIGHT,
    differs="Nothing; an integer, a tuple and `None` are accepted. It cannot be exported to ONNX.",
)
class AdaptiveAveragePooling:
    def pytorch(x):
        return functional.adaptive_avg_pool2d(x, (3, None))

    def mindspore(x):
        return ops.adaptive_avg_pool2d(x, (3, None))


@FUNCTIONS.call(
    SERIES,
    guide=15,
    verdict=Verdict.RIGHT,
    differs="The default stride is 1, not the size of the kernel. The input has three dimensions.",
)
class AveragePoolingOfSeries:
    def pytorch(x):
        return functional.avg_pool1d(x, kernel_size=2)

    def mindspore(x):
        return ops.avg_pool1d(x, kernel_size=2, stride=2)

    def trap(x):
        return ops.avg_pool1d(x, kernel_size=2)


@FUNCTIONS.call(
    ROWS * 1e-3,
    guide=30,
    verdict=Verdict.WRONG,
    differs="The default `epsilon` is 1e-4, PyTorch's 1e-12, so that short vectors stay short. The "
    "default axis is 0.",
)
class Normalize:
    def pytorch(x):
        return functional.normalize(x * x, p=2, dim=-1)

    def mindspore(x):
        return ops.L2Normalize(axis=-1, epsilon=1e-12)(x * x)

    def trap(x):
        return ops.L2Normalize(axis=-1)(x * x)


@FUNCTIONS.call(
    ROWS,
    trap_error="LinalgVectorNorm|not support",
    differs="`mint` has PyTorch's names, but on CPU many of its operators are missing: "
    "`normalize`, `conv2d`, `batch_norm`, `cross_entropy`, `topk` and others.",
)
class NormalizeByMint:
    def pytorch(x):
        return functional.normalize(x, dim=1)

    def mindspore(x):
        return x / ops.clamp(ops.norm(x, 2, 1, keepdim=True), min=1e-12)

    def trap(x):
        return mint.nn.functional.normalize(x, dim=1)


@FUNCTIONS.program(
    IMAGES,
    trap_in=("graph",),
    differs="In graph mode, the gradient of `ops.pad` is wrong from the second call on. A layer, a "
    "concatenation or the padding of an operator is right.",
)
class Padding:
    def pytorch(x):
        x.requires_grad = True
        functional.pad(x, (0, 1, 0, 1)).square().sum().backward()
        return x.grad

    def mindspore(x):
        return second_gradient(nn.Pad(((0, 0), (0, 0), (0, 1), (0, 1))), x)

    def trap(x):
        return second_gradient(PadsByFunction(), x)


@FUNCTIONS.call(
    ROWS,
    np.array([0, 3, 1, 2, 2]),
    differs="`nn.CrossEntropyLoss` takes labels of int32 only; the function takes int64 too.",
)
class CrossEntropy:
    def pytorch(x, labels):
        return functional.cross_entropy(x, labels, label_smoothing=0.1)

    def mindspore(x, labels):
        return ops.cross_entropy(x, labels, label_smoothing=0.1)


@FUNCTIONS.call(
    ROWS,
    np.abs(ROWS) / 4,
    differs="`ops.kl_div` has no gradient for the second argument.",
)
class Divergence:
    def pytorch(x, target):
        return functional.kl_div(x, target, reduction="batchmean")

    def mindspore(x, target):
        return (target * (ops.log(target) - x)).sum() / 5

    def trap(x, target):
        return ops.kl_div(x, target, reduction="batchmean")


@FUNCTIONS.call(IMAGES, differs="Nothing, except that some modes need `align_corners` to be given.")
class Interpolation:
    def pytorch(x):
        return functional.interpolate(x, size=(5, 9), mode="bilinear", align_corners=False)

    def mindspore(x):
        return ops.interpolate(x, size=(5, 9), mode="bilinear", align_corners=False)


@FUNCTIONS.call(
    IMAGES,
    SCALE,
    differs="Equal, but graph mode keeps the memory of an implicit broadcast of a large tensor to "
    "the end of the graph. An explicit one is freed.",
)
class Broadcasting:
    def pytorch(x, scale):
        return x * scale.reshape(1, 4, 1, 1)

    def mindspore(x, scale):
        return x * ops.broadcast_to(scale.reshape(1, 4, 1, 1), x.shape)


@FUNCTIONS.call(IMAGES, differs="Nothing.")
class GeneralizedMean:
    def pytorch(x):
        return x.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)

    def mindspore(x):
        return x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
