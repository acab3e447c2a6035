import numpy as np
import pytest
import torch
from mindspore import Tensor

from fastreid.layers import InstanceNorm, Non_local

from .against_torch import assert_same, copy_weights, randomize


class TorchNonLocal(torch.nn.Module):
    """All pairs of pixels, written out."""

    def __init__(self, channels):
        super().__init__()
        self.g = torch.nn.Conv2d(channels, 1, 1)
        self.theta = torch.nn.Conv2d(channels, 1, 1)
        self.phi = torch.nn.Conv2d(channels, 1, 1)
        self.W = torch.nn.Sequential(
            torch.nn.Conv2d(1, channels, 1), torch.nn.BatchNorm2d(channels)
        )

    def forward(self, x):
        n, _, h, w = x.shape
        g, theta, phi = (part(x).reshape(n, h * w) for part in (self.g, self.theta, self.phi))
        pairs = theta[:, :, None] * phi[:, None, :]
        mixed = (pairs * g[:, None, :]).sum(2) / (h * w)
        return x + self.W(mixed.reshape(n, 1, h, w))


@pytest.mark.parametrize("training", [True, False])
def test_non_local_block_is_the_sum_over_all_pairs_of_pixels(mode, images, training):
    module = randomize(TorchNonLocal(8)).train(training)
    cell = Non_local(8).set_train(training)
    copy_weights(cell, module)
    # The norm's division by a small deviation adds a digit of rounding.
    assert_same(cell, module, images, tolerance=3e-5, before_norm=("W.0.weight", "W.0.bias"))


def test_a_new_block_passes_its_input_on(mode, images):
    for training in (True, False):
        cell = Non_local(8).set_train(training)
        np.testing.assert_array_equal(cell(Tensor(images)).asnumpy(), images)


def test_the_inner_convolutions_start_as_in_torch():
    weight = Non_local(1024).g.weight.asnumpy()
    assert np.abs(weight).max() <= 1 / 32
    assert weight.std() == pytest.approx(1 / 32 / np.sqrt(3), rel=0.1)


def test_the_norm_can_be_chosen():
    assert isinstance(Non_local(8, norm=InstanceNorm).W[1], InstanceNorm)
