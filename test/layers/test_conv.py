import numpy as np
import pytest
import torch

from fastreid.layers import Conv2d, Linear, StemMaxPool

from .against_torch import assert_same, copy_weights, randomize

CONVOLUTIONS = {
    "pointwise": (1, {}),
    "padded": (3, {"padding": 1}),
    "strided": (3, {"padding": 1, "stride": 2}),
    "grouped": (3, {"padding": 1, "groups": 4}),
    "stem": (7, {"padding": 3, "stride": 2, "bias": True}),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolution_is_that_of_torch(mode, images, kind):
    size, options = CONVOLUTIONS[kind]
    module = randomize(torch.nn.Conv2d(8, 12, size, **{"bias": False, **options}))
    cell = Conv2d(8, 12, size, **options)
    copy_weights(cell, module)
    assert_same(cell, module, images)


def test_convolution_starts_with_the_spread_of_its_outputs():
    weight = Conv2d(64, 128, 3).weight.asnumpy()
    assert weight.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
    assert abs(weight.mean()) < 1e-3


def test_linear_layer_is_that_of_torch_without_bias(mode):
    module = randomize(torch.nn.Linear(6, 3, bias=False))
    cell = Linear(6, 3)
    copy_weights(cell, module)
    assert_same(cell, module, np.random.RandomState(0).randn(5, 6).astype(np.float32))


def test_linear_layer_starts_uniform_or_normal():
    uniform = Linear(400, 300).weight.asnumpy()
    assert np.abs(uniform).max() <= 1 / 20
    assert uniform.std() == pytest.approx(1 / 20 / np.sqrt(3), rel=0.02)
    assert Linear(400, 300, init_std=0.01).weight.asnumpy().std() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("size", [(8, 6), (9, 7), (5, 8), (3, 3), (2, 2)])
def test_stem_pooling_cuts_the_last_window_at_the_border(mode, size):
    x = np.random.RandomState(2).randn(2, 3, *size).astype(np.float32)
    assert_same(StemMaxPool(), torch.nn.MaxPool2d(3, 2, ceil_mode=True), x, tolerance=1e-7)
