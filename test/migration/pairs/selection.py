"""Selection, products and the digits of results; none of it is in the older guide."""

import mindspore as ms
import numpy as np
import torch
from mindspore import Tensor, ops

from test.migration.pair import Chapter

SELECTION = Chapter("Selection, products and digits")
RNG = np.random.RandomState(5)
X = RNG.randn(3, 4).astype(np.float32)
Y = RNG.randn(3, 4).astype(np.float32)
COLUMNS = np.array([[3], [1], [2]])


@SELECTION.call(
    X,
    differs="With `axis` there are values only, with `dim` values and indices.",
    gradient=False,
    trap_error="unpack|",
)
class Maximum:
    def pytorch(x):
        return tuple(x.max(dim=1))

    def mindspore(x):
        return x.max(dim=1)

    def trap(x):
        return x.max(axis=1)


@SELECTION.call(
    X, Y, trap_error="Einsum", differs="`ops.einsum` fails on CPU: use products of matrices."
)
class Products:
    def pytorch(x, y):
        return torch.einsum("ij,kj->ik", x, y)

    def mindspore(x, y):
        return ops.matmul(x, y.T)

    def trap(x, y):
        return ops.einsum("ij,kj->ik", x, y)


@SELECTION.call(
    X,
    X + 1e-3,
    digits=True,
    tolerance=1e-3,
    gradient=False,
    differs="Distances of near rows by `|x|^2 + |y|^2 - 2xy` lose digits in either framework; "
    "`cdist` subtracts first.",
)
class Distances:
    def pytorch(x, y):
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")

    def mindspore(x, y):
        return ops.cdist(x, y)

    def trap(x, y):
        squares = (x * x).sum(1).reshape(3, 1) + (y * y).sum(1)
        return ops.sqrt(ops.clamp(ops.addmm(squares, x, y.T, alpha=-2), min=1e-12))


SMALL = np.array([1e-8, -1e-7, 1e-4], np.float32)


@SELECTION.call(
    SMALL,
    digits=True,
    differs="`ops.log1p` loses the digits of small results on CPU; so do `expm1`, `softplus` and "
    "`log_softmax`.",
)
class Log1p:
    def pytorch(x):
        return torch.log1p(x)

    def mindspore(x):
        return 2 * ops.atanh(x / (2 + x))

    def trap(x):
        return ops.log1p(x)


@SELECTION.call(
    np.array([-80, -20, -1], np.float32),
    digits=True,
    tolerance=5e-6,
    differs="`ops.exp` has a relative error of 2e-5 at -80 on CPU.",
)
class Exponential:
    def pytorch(x):
        return torch.exp(x)

    def mindspore(x):
        return ops.pow(Tensor(np.e, ms.float32), x)

    def trap(x):
        return ops.exp(x)


@SELECTION.call(X, gradient=False, differs="Slow on CPU; a product with zero finds the same.")
class Finite:
    def pytorch(x):
        return torch.isfinite(x).all()

    def mindspore(x):
        return (x * 0).sum() == 0


@SELECTION.call(X, Y, differs="Rows that a mask selects, of any number, work in graph mode too.")
class Masking:
    def pytorch(x, y):
        return (x * y)[x[:, 0] > 0]

    def mindspore(x, y):
        return (x * y)[x[:, 0] > 0]


@SELECTION.call(X, same_types=False, differs="`axis` for `dim`. The indices are int32.")
class Sorting:
    def pytorch(x):
        return tuple(torch.sort(x, dim=1, descending=True))

    def mindspore(x):
        return ops.sort(x, axis=1, descending=True)


@SELECTION.call(X, same_types=False, differs="The indices are int32.")
class Largest:
    def pytorch(x):
        return tuple(torch.topk(x, 2, dim=1))

    def mindspore(x):
        return ops.topk(x, 2, dim=1)


@SELECTION.call(X, COLUMNS, differs="The function is called `gather_elements`.")
class Gathering:
    def pytorch(x, index):
        return torch.gather(x, 1, index)

    def mindspore(x, index):
        return ops.gather_elements(x, 1, index)
