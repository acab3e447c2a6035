import numpy as np
import pytest

from fastreid.layers import Conv2d, Linear


def test_convolution_starts_with_the_spread_of_its_outputs():
    weight = Conv2d(64, 128, 3).weight.asnumpy()
    assert weight.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
    assert abs(weight.mean()) < 1e-3


def test_linear_layer_starts_uniform_or_normal():
    uniform = Linear(400, 300).weight.asnumpy()
    assert np.abs(uniform).max() <= 1 / 20
    assert uniform.std() == pytest.approx(1 / 20 / np.sqrt(3), rel=0.02)
    assert Linear(400, 300, init_std=0.01).weight.asnumpy().std() == pytest.approx(0.01, rel=0.02)
