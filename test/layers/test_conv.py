import numpy as np
import pytest
from mindspore.common.initializer import Normal

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


def test_biases_start_as_in_pytorch():
    conv = Conv2d(64, 2000, (3, 1), groups=4, bias=True)
    assert conv.weight.shape == (2000, 16, 3, 1)
    bound = 1 / np.sqrt(16 * 3)
    assert 0.98 * bound < np.abs(conv.bias.asnumpy()).max() <= bound
    bias = Linear(25, 2000, bias=True).bias.asnumpy()
    assert 0.98 / 5 < np.abs(bias).max() <= 1 / 5
    assert Linear(25, 3, bias=True, bias_init="zeros").bias.asnumpy().tolist() == [0, 0, 0]


def test_start_values_of_a_convolution_can_be_chosen():
    conv = Conv2d(64, 128, 3, bias=True, weight_init=Normal(0.5), bias_init="ones")
    assert conv.weight.asnumpy().std() == pytest.approx(0.5, rel=0.02)
    assert (conv.bias.asnumpy() == 1).all()


def test_the_spread_of_outputs_counts_both_sides_of_a_rectangle_and_no_groups():
    weight = Conv2d(64, 512, (1, 7), groups=8).weight.asnumpy()
    assert weight.std() == pytest.approx(np.sqrt(2 / (7 * 512)), rel=0.02)


def test_channels_that_groups_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="8 groups do not divide 8 and 12 channels"):
        Conv2d(8, 12, 3, groups=8)
