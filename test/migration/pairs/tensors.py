"""Methods of tensors, and functions without weights."""

import mindspore as ms
import numpy as np
import torch
from mindspore import ops

from test.migration.pair import Chapter, Verdict

TENSORS = Chapter("Tensors")
RNG = np.random.RandomState(2)
X = RNG.randn(3, 4).astype(np.float32)
Y = RNG.randn(3, 4).astype(np.float32)
MAPS = RNG.randn(2, 3, 4, 5).astype(np.float32)
WHOLE = np.array([3, 1, 3, 2, 1])


@TENSORS.call(
    X,
    guide=7,
    verdict=Verdict.RIGHT,
    gradient=False,
    trap_error="not callable|'int' object",
    differs="`tensor.size` is the number of elements.",
)
class Size:
    def pytorch(x):
        return tuple(x.size())

    def mindspore(x):
        return x.shape

    def trap(x):
        return x.size()


@TENSORS.call(X, guide=8, verdict=Verdict.RIGHT, gradient=False, differs="As above.")
class SizeOfAxis:
    def pytorch(x):
        return x.size(0)

    def mindspore(x):
        return x.shape[0]


@TENSORS.program(
    differs="`Tensor` keeps the float64 of an array of NumPy; PyTorch's constructor makes float32.",
)
class FromNumpy:
    def pytorch():
        return torch.Tensor(np.ones(2))

    def mindspore():
        return ms.Tensor(np.ones(2), ms.float32)

    def trap():
        return ms.Tensor(np.ones(2))


@TENSORS.call(X, guide=13, verdict=Verdict.RIGHT, differs="Size of a part, as in PyTorch.")
class Split:
    def pytorch(x):
        return torch.split(x, 2, 1)

    def mindspore(x):
        return ops.split(x, 2, 1)


@TENSORS.call(X, Y, guide=14, verdict=Verdict.RIGHT, differs="`axis` for `dim`.")
class Concatenation:
    def pytorch(x, y):
        return torch.cat((x, y), dim=1)

    def mindspore(x, y):
        return ops.cat((x, y), axis=1)


@TENSORS.call(MAPS, guide=16, verdict=Verdict.RIGHT, differs="`x.permute(3, 2, 1, 0)` works too.")
class Permutation:
    def pytorch(x):
        return x.permute((3, 2, 1, 0))

    def mindspore(x):
        return ops.Transpose()(x, (3, 2, 1, 0))


@TENSORS.call(
    MAPS,
    guide=17,
    verdict=Verdict.RIGHT,
    trap_in=("graph",),
    trap_error="the number of axes must be equal to the dimension",
    differs="`transpose(0, 1)` exchanges two axes in pynative mode, but graph mode wants a whole "
    "permutation.",
)
class Transposition:
    def pytorch(x):
        return x.transpose(0, 1)

    def mindspore(x):
        return x.swapaxes(0, 1)

    def trap(x):
        return x.transpose(0, 1)


@TENSORS.call(
    X,
    guide=18,
    verdict=Verdict.RIGHT,
    trap_error="repeat",
    differs="`repeat` of MindSpore repeats single elements, and fails on CPU.",
)
class Repetition:
    def pytorch(x):
        return x.repeat(2, 2)

    def mindspore(x):
        return x.tile((2, 2))

    def trap(x):
        return x.repeat(2, 2)


@TENSORS.call(
    X[:1],
    guide=46,
    verdict=Verdict.RIGHT,
    trap_in=("graph",),
    trap_error="GetShapeVector",
    differs="-1 keeps an axis. `expand` exists too, but with a tuple it fails in graph mode.",
)
class Expansion:
    def pytorch(x):
        return x.expand(3, -1)

    def mindspore(x):
        return x.broadcast_to((3, -1))

    def trap(x):
        return x.expand((3, -1))


@TENSORS.call(
    X,
    X @ X.T,
    Y.T.copy(),
    guide=47,
    verdict=Verdict.RIGHT,
    differs="A new tensor. As distances, such a product loses digits; see `cdist` below.",
)
class AddedProduct:
    def pytorch(x, distances, y):
        return distances.addmm_(x, y, beta=1, alpha=-2)

    def mindspore(x, distances, y):
        return ops.addmm(distances, x, y, beta=1, alpha=-2)


@TENSORS.program(
    X,
    guide=48,
    verdict=Verdict.WRONG,
    differs="The guide writes `b = a`, which is the same tensor. `clone` fails on CPU.",
)
class Clone:
    def pytorch(a):
        b = a.clone()
        a[0] = 5
        return b

    def mindspore(a):
        b = a.copy()
        a[0] = 5
        return b

    def trap(a):
        b = a
        a[0] = 5
        return b


@TENSORS.program(
    X,
    guide=49,
    verdict=Verdict.WRONG,
    differs="`ops.mul` gives a new tensor; other references keep the old one. In place is "
    "`assign`, which is for parameters.",
)
class Multiplication:
    def pytorch(x):
        same = x
        x.mul_(2)
        return same

    def mindspore(x):
        same = x = ms.Parameter(x)
        ops.assign(x, x * 2)
        return same

    def trap(x):
        same = x
        x = ops.mul(x, 2)
        return same


@TENSORS.call(
    X,
    Y[:2, :3].copy(),
    guide=50,
    verdict=Verdict.RIGHT,
    gradient=False,
    differs="A new tensor, with zeros behind the old elements.",
)
class Resizing:
    def pytorch(x, y):
        return x.resize_as_(y)

    def mindspore(x, y):
        return x.resize(*y.shape)


@TENSORS.call(X, guide=51, verdict=Verdict.RIGHT, gradient=False, differs="The type is kept.")
class NewOnes:
    def pytorch(x):
        return x.new().resize_as_(x).fill_(1)

    def mindspore(x):
        return x.new_ones(x.shape)


@TENSORS.call(
    X,
    guide=52,
    verdict=Verdict.WRONG,
    gradient=False,
    differs="`ops.full(x.shape, 1)` is int64. Neither is in place.",
)
class Filling:
    def pytorch(x):
        return x.fill_(1)

    def mindspore(x):
        return ops.full_like(x, 1)

    def trap(x):
        return ops.full(x.shape, 1)


@TENSORS.call(
    X,
    guide=53,
    verdict=Verdict.RIGHT,
    trap_error="unexpected keyword argument 'p'|got an unexpected",
    differs="`p` is called `ord`.",
)
class Norm:
    def pytorch(x):
        return torch.norm(x, p=2, dim=1)

    def mindspore(x):
        return ops.norm(x, ord=2, dim=1)

    def trap(x):
        return ops.norm(x, p=2, dim=1)


@TENSORS.call(
    X,
    guide=54,
    verdict=Verdict.CHANGED,
    differs="The guide's names `axis` and `keepdims` work still (its line says `torch.Tensor` for "
    "`mindspore.Tensor`). Since then `dim` and `keepdim` work too.",
)
class Sum:
    def pytorch(x):
        return x.sum(dim=1, keepdim=True)

    def mindspore(x):
        return x.sum(dim=1, keepdim=True)


@TENSORS.program(
    guide=55,
    verdict=Verdict.RIGHT,
    trap_error="dtype|type",
    differs="The shape is one tuple.",
)
class Ones:
    def pytorch():
        return torch.ones(2, 3)

    def mindspore():
        return ops.ones((2, 3), dtype=ms.float32)

    def trap():
        return ops.ones(2, 3)


@TENSORS.call(
    WHOLE,
    guide=57,
    verdict=Verdict.WRONG,
    gradient=False,
    differs="`ops.unique` does not sort, so that the indices differ too.",
)
class UniqueWithInverse:
    def pytorch(x):
        return torch.unique(x, return_inverse=True)

    def mindspore(x):
        values = ops.sort(ops.unique(x)[0])[0]
        return values, ops.searchsorted(values, x)

    def trap(x):
        return ops.unique(x)


@TENSORS.call(
    WHOLE,
    guide=58,
    verdict=Verdict.WRONG,
    gradient=False,
    differs="Not sorted, and always a pair.",
)
class Unique:
    def pytorch(x):
        return torch.unique(x)

    def mindspore(x):
        return ops.sort(ops.unique(x)[0])[0]

    def trap(x):
        return ops.unique(x)[0]


@TENSORS.call(
    X,
    guide=59,
    verdict=Verdict.WRONG,
    differs="`value()` is no detach: gradients pass through it. Nor is it a view: a change of it "
    "does not reach the parameter.",
)
class Data:
    def pytorch(x):
        return x.data * x

    def mindspore(x):
        return ops.stop_gradient(x) * x

    def trap(x):
        return x.value() * x


@TENSORS.call(
    X,
    guide=44,
    verdict=Verdict.RIGHT,
    differs="The guide says that none is needed, since a forward pass records nothing. Inside a "
    "function that is differentiated, `stop_gradient` is. `set_train(False)` is another thing.",
)
class NoGrad:
    def pytorch(x):
        with torch.no_grad():
            scale = x.abs().sum()
        return x / scale

    def mindspore(x):
        scale = ops.stop_gradient(x.abs().sum())
        return x / scale

    def trap(x):
        scale = x.abs().sum()
        return x / scale
