"""Means over maps and scales of channels, and their written-out gradients."""

import numpy as np
from mindspore import Tensor, nn

from fastreid.layers import ScaleChannels, SpatialMean
from test.alignment.against_torch import assert_close, ours, projection


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
