"""Small computations that contain every primitive that can be exported, in groups.

Each is a function of x, (N, 4, 8, 6), and constants; its result has N rows.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor, mint, nn, ops

from fastreid.layers import Conv2d

CHANNELS, HEIGHT, WIDTH = 4, 8, 6


def constant(*shape, seed=0):
    return Tensor(np.random.RandomState(seed).randn(*shape).astype(np.float32))


def initialized(cell, seed=0):
    """Draw the parameters of a cell; variances are positive."""
    rng = np.random.RandomState(seed)
    for parameter in cell.get_parameters():
        values = rng.uniform(0.5, 1.5, parameter.shape) * rng.choice([-1, 1], parameter.shape)
        if parameter.name.endswith("variance"):
            values = np.abs(values)
        parameter.set_data(Tensor(values.astype(np.float32)))
    return cell.set_train(False)


def of_positive(x, function):
    return function(ops.abs(x) + 0.1)


def equal(x):
    is_whole = ops.cast(ops.equal(x, ops.floor(x)), ms.float32)
    return is_whole * x + ops.cast(ops.equal(x, x), ms.float32)


def scaled_sum(x, other):
    return mint.add(x, other, alpha=2)


def scaled_difference(x, other):
    return mint.sub(x, other, alpha=2)


def through_half(x):
    return ops.cast(ops.cast(x, ms.float16), ms.float32)


def first_of_pair(x, function):
    return function(x)[0]


def vectors(x, function, *arguments):
    """Apply a function to (N, 24)."""
    return function(x[:, :, 0].reshape(x.shape[0], -1), *arguments)


def times_own_transpose(x):
    return ops.BatchMatMul(False, True)(x, x)


def own_transpose_times(x):
    return ops.BatchMatMul(True, False)(x, x)


def from_list(x):
    parts = [x, x * 2]
    parts = [parts[1], parts[0]]
    return parts[0] - parts[1] / 3


def in_order(x):
    return ops.depend(x * 2, x + 1)


def split_equally(x):
    first, second = ops.Split(1, 2)(x)
    return first - 2 * second


def split_by_size(x):
    first, second = ops.split(x, 3, 1)
    return first + second * 2


def split_by_sizes(x):
    first, second, third = ops.split(x, [1, 2, 1], 1)
    return ops.cat((third, first, second), 1)


def unstacked(x):
    return ops.unstack(x, 1)[3] - 2 * ops.unstack(x, 1)[0]


def unstacked_from_the_end(x):
    first, *_, last = ops.unstack(x, -1)
    return first * last


def stacked(x):
    return ops.stack((x, x * 2), 1)


def mint_split(x):
    return mint.split(x, 3, 1)[1]


def mint_split_by_sizes(x):
    return mint.split(x, [1, 3], 1)[1]


def smallest(x):
    return ops.min(x, 2)[0] + ops.max(x, 2)[0]


def sliced(x):
    return x[:, 1:3, ::2]


def indexed(x):
    return x[:, -1]


def rows_by_sizes(x):
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels * height // 2, width * 2)


def rows_of_other_number(x):
    return x.reshape(x.shape[0] * 2, -1)


def times_other_numbers(x):
    more = ops.ones((x.shape[0] + 2, 1), ms.float32).sum()
    less = ops.ones((x.shape[0] * 3 - 1, 1), ms.float32).sum()
    part = ops.ones((x.shape[0] * 5 // 2, 1), ms.float32).sum()
    return x * more + less / part


def times_whole_number(x):
    return x * x.shape[0]


def times_number_of_images(x):
    return x * (x.shape[0] / 2)


def repeated_for_each_image(x, weight):
    return ops.tile(weight, (x.shape[0],)).reshape(x.shape[0], CHANNELS, 1, 1) * x


def new_zeros(x):
    return ops.zeros((x.shape[0], CHANNELS, 1, 1), ms.float32) + x


def new_ones(x):
    return ops.ones((x.shape[0], CHANNELS, 1, 1), ms.float32) + x


def like_itself(x):
    return ops.ones_like(x) + ops.zeros_like(x) - x


def broadcast(x, weight):
    return ops.broadcast_to(weight, (x.shape[0], -1, HEIGHT, WIDTH)) + x


def padded(x):
    return ops.pad(x, (1, 2, 0, 1), value=-3.0)


def without_axis(x):
    return ops.squeeze(ops.expand_dims(ops.max(x, 2)[0], 2) * 2, 2)


UNARY = "Abs Erf Exp Floor Neg ReLU Reciprocal Sigmoid Softplus Tanh Square ReLU6 HSigmoid HSwish"
BINARY = "Add Div Maximum Minimum Mul RealDiv Sub"
REDUCTIONS = "ReduceMax ReduceMean ReduceMin ReduceSum"

GROUPS = {
    "arithmetic": {
        **{name: (getattr(ops, name)(),) for name in UNARY.split()},
        **{name: (getattr(ops, name)(), constant(CHANNELS, 1, 1)) for name in BINARY.split()},
        **{name: (of_positive, getattr(ops, name)()) for name in ("Log", "Rsqrt", "Sqrt")},
        "Pow": (ops.Pow(), 3.0),
        "Equal": (equal,),
        "GeLU": (ops.GeLU(),),
        "SiLU": (ops.silu,),
        "AddExt": (scaled_sum, constant(CHANNELS, 1, 1)),
        "SubExt": (scaled_difference, constant(CHANNELS, 1, 1)),
        "clamp": (ops.clamp, -0.5, 0.25),
        "clamp to tensors": (ops.clamp, constant(CHANNELS, 1, 1), constant(CHANNELS, 1, 1) + 1),
        "cast": (through_half,),
    },
    "products": {
        "MatMul": (vectors, ops.MatMul(False, True), constant(5, 24)),
        "MatMul, plain": (vectors, ops.MatMul(), constant(24, 5)),
        "matmul": (ops.matmul, constant(WIDTH, 5)),
        "Dense": (initialized(nn.Dense(WIDTH, 5)),),
        "ops.dense": (vectors, ops.dense, constant(5, 24), constant(5)),
        "linear": (vectors, mint.nn.functional.linear, constant(5, 24)),
        "BatchMatMul, second transposed": (times_own_transpose,),
        "BatchMatMul, first transposed": (own_transpose_times,),
    },
    "convolutions": {
        "padded": (initialized(nn.Conv2d(4, 6, 3, 2, "pad", (1, 0, 2, 1), has_bias=True)),),
        "of one number": (ops.Conv2D(6, 3, pad_mode="pad", pad=1, stride=2), constant(6, 4, 3, 3)),
        "same": (initialized(nn.Conv2d(4, 6, 3, 2, "same")),),
        "valid": (initialized(nn.Conv2d(4, 6, (3, 2), (1, 2), "valid")),),
        "dilated, same": (initialized(nn.Conv2d(4, 6, 3, 1, "same", dilation=2)),),
        "dilated": (initialized(nn.Conv2d(4, 6, 3, 1, "pad", 2, dilation=2)),),
        "in groups": (initialized(nn.Conv2d(4, 6, 3, 1, "pad", 1, group=2)),),
        "of channels": (initialized(nn.Conv2d(4, 4, 3, 1, "pad", 1, group=4)),),
        "of channels, of this package": (initialized(Conv2d(4, 4, 3, padding=1, groups=4)),),
    },
    "pooling": {
        "MaxPool, same": (nn.MaxPool2d(3, 2, "same"),),
        "MaxPool, valid": (nn.MaxPool2d(3, 2, "valid"),),
        "MaxPool, padded": (nn.MaxPool2d(3, 2, "pad", 1),),
        "MaxPool, ceil": (nn.MaxPool2d(3, 2, "pad", 0, ceil_mode=True),),
        "AvgPool, same": (nn.AvgPool2d(3, 2, "same"),),
        "AvgPool, valid": (nn.AvgPool2d((3, 2), (2, 1), "valid"),),
        "AvgPool, padded": (nn.AvgPool2d(3, 2, "pad", 1),),
        "AvgPool, ceil": (nn.AvgPool2d(3, 2, "pad", 1, ceil_mode=True, count_include_pad=False),),
        "avg_pool2d": (ops.avg_pool2d, 2, 2),
        "AdaptiveAvgPool2D": (ops.adaptive_avg_pool2d, (4, 2)),
        "AdaptiveAvgPool2D to 1": (ops.adaptive_avg_pool2d, 1),
        "AdaptiveMaxPool2D": (ops.adaptive_max_pool2d, (2, 3)),
    },
    "norms": {
        "BatchNorm": (initialized(nn.BatchNorm2d(CHANNELS)),),
        "GroupNorm": (initialized(nn.GroupNorm(2, CHANNELS)),),
        "LayerNorm": (initialized(nn.LayerNorm((WIDTH,))),),
    },
    "reductions": {
        **{name: (getattr(ops, name)(True), (2, 3)) for name in REDUCTIONS.split()},
        "ReduceSum, dropped": (ops.ReduceSum(False), -1),
        "mean": (mint.mean, (2, 3)),
        "sum": (mint.sum, -1),
        "smallest": (smallest,),
        "amax": (ops.amax, (1, 3)),
        "Softmax": (ops.Softmax(-1),),
        "Softmax of channels": (ops.softmax, 1),
    },
    "shapes": {
        "transposed": (ops.transpose, (0, 2, 3, 1)),
        "flattened": (ops.Flatten(),),
        "concatenated": (split_by_sizes,),
        "split": (split_equally,),
        "split by size": (split_by_size,),
        "stacked": (stacked,),
        "unstacked": (unstacked,),
        "unstacked, last axis": (unstacked_from_the_end,),
        "mint.split": (mint_split,),
        "mint.split by sizes": (mint_split_by_sizes,),
        "narrow": (ops.narrow, 1, 1, 2),
        "mint.narrow": (mint.narrow, 1, 1, 2),
        "sliced": (sliced,),
        "indexed": (indexed,),
        "tiled": (ops.tile, (1, 2, 1, 3)),
        "tiled for each image": (repeated_for_each_image, constant(CHANNELS)),
        "broadcast": (broadcast, constant(1, CHANNELS, 1, 1)),
        "padded": (padded,),
        "squeezed": (without_axis,),
        "zeros": (new_zeros,),
        "ones": (new_ones,),
        "like": (like_itself,),
    },
    "sizes": {
        "reshaped": (ops.reshape, (-1, HEIGHT // 2, 2 * CHANNELS, WIDTH)),
        "reshaped by sizes": (rows_by_sizes,),
        "reshaped to more rows": (rows_of_other_number,),
        "calculated sizes": (times_other_numbers,),
        "a whole number": (times_whole_number,),
        "a number": (times_number_of_images,),
    },
    "flow": {
        "list": (from_list,),
        "order": (in_order,),
        "identity": (ops.Identity(),),
        "constant": (ops.stop_gradient,),
    },
}
