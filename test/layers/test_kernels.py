"""Operations of `kernels` and their written-out gradients, against the textbook forms."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from fastreid.layers import AddToCopies, Conv2d, ScaleChannels, SpatialMean
from fastreid.layers.kernels import AtLeast, ExchangeChannels
from test.alignment.against_torch import assert_close, ours, projection
from test.graph_memory import GLIBC, kept_by


class Scaled(nn.Cell):
    """`ScaleChannels` with its inputs the other way round: the first gradient is the scale's."""

    def __init__(self):
        super().__init__()
        self.scale = ScaleChannels()

    def construct(self, scale, x):
        return self.scale(x, scale)


def test_spatial_mean_and_its_gradient(mode, images):
    value, gradient, _ = ours(SpatialMean(), images)
    assert_close(value, images.mean((2, 3)))
    h, w = images.shape[2:]
    want = np.broadcast_to(projection((2, 8))[:, :, None, None] / (h * w), images.shape)
    assert_close(gradient, want)


def test_scales_multiply_channels_and_have_both_gradients(mode, images):
    scale = np.random.RandomState(2).randn(2, 8).astype(np.float32)
    spread = scale[:, :, None, None]
    value, by_map, _ = ours(ScaleChannels(), images, scale)
    _, by_scale, _ = ours(Scaled(), scale, images)
    direction = projection(images.shape)
    assert_close(value, images * spread)
    assert_close(by_map, direction * spread)
    assert_close(by_scale, (direction * images).sum((2, 3)))


def test_a_mean_of_a_mean_differentiates_only_what_is_asked(mode, images):
    value, gradient, _ = ours(nn.SequentialCell(nn.ReLU(), SpatialMean()), images)
    assert_close(value, np.maximum(images, 0).mean((2, 3)))
    assert (gradient[images < 0] == 0).all()
    assert Tensor(gradient).shape == images.shape


class Added(nn.Cell):
    """`AddToCopies` with its inputs the other way round: the first gradient is the one map's."""

    def __init__(self):
        super().__init__()
        self.add = AddToCopies(3)

    def construct(self, x, y):
        return self.add(y, x)


def test_a_map_is_added_to_each_copy_and_gets_the_sum_of_their_gradients(mode, images):
    copies = np.random.RandomState(3).randn(2, 24, *images.shape[2:]).astype(np.float32)
    value, gradient, _ = ours(Added(), images, copies)
    assert_close(value, copies + np.tile(images, (1, 3, 1, 1)))
    direction = projection(copies.shape)
    assert_close(gradient, direction.reshape(2, 3, 8, *images.shape[2:]).sum(1))


def test_a_pointwise_convolution_has_the_gradients_of_a_matrix_product(mode, images):
    conv = Conv2d(8, 5, 1)
    weight = conv.weight.asnumpy()[:, :, 0, 0]
    value, gradient, gradients = ours(conv, images)
    assert_close(value, np.einsum("oi,nihw->nohw", weight, images))
    direction = projection(value.shape)
    assert_close(gradient, np.einsum("oi,nohw->nihw", weight, direction))
    by_weight = np.einsum("nohw,nihw->oi", direction, images)
    assert_close(gradients["weight"], by_weight[:, :, None, None])


class EachExchanged(nn.Cell):
    """Weights (out, in, 1, 1) with their channels exchanged."""

    def __init__(self):
        super().__init__()
        self.exchange = ExchangeChannels()

    def construct(self, *weights):
        exchanged = ()
        for weight in weights:
            exchanged = (*exchanged, self.exchange(weight))
        return exchanged


def test_channels_of_a_weight_are_exchanged(mode):
    weight = np.random.RandomState(4).randn(5, 3, 1, 1).astype(np.float32)
    (got,) = EachExchanged()(Tensor(weight))
    assert np.array_equal(got.asnumpy(), weight.transpose(1, 0, 2, 3))


@GLIBC
def test_exchanged_channels_keep_no_table_of_indices():
    weights = [Tensor(np.ones((1024, 512, 1, 1), np.float32)) for _ in range(8)]
    EachExchanged()(*weights)  # fills the pool of memory
    # Tables have 8 bytes for each element, 34 MB in all.
    assert kept_by(EachExchanged(), *weights) < 17e6


def test_values_below_a_bound_become_it_and_get_no_gradient(mode, images):
    value, gradient, _ = ours(AtLeast(0.25), images)
    assert np.array_equal(value, np.maximum(images, np.float32(0.25)))
    want = np.where(images >= np.float32(0.25), projection(images.shape), 0)
    assert np.array_equal(gradient, want)


def test_a_value_equal_to_the_bound_gets_its_gradient(mode):
    _, gradient, _ = ours(AtLeast(0.25), np.full((2, 8, 1, 1), 0.25, np.float32))
    assert np.array_equal(gradient, projection((2, 8, 1, 1)))


class GradientOfBound(nn.Cell):
    """The gradient of the sum of `AtLeast`."""

    def __init__(self):
        super().__init__()
        self.gradient = ms.grad(AtLeast(0.25))

    def construct(self, x):
        return self.gradient(x)


@GLIBC
def test_a_bound_keeps_no_table_of_indices():
    x = Tensor(np.ones((1024, 1024), np.float32))
    GradientOfBound()(x)
    # `clamp` keeps 24 bytes for each element, 25 MB.
    assert kept_by(GradientOfBound(), x) < 8e6
