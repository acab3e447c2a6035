import numpy as np
import pytest
from mindspore import Tensor

from fastreid.layers import InstanceNorm, Non_local


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
