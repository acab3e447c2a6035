import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.layers import GeneralizedMeanPooling, get_pooling
from test.alignment.against_torch import assert_close, ours


def test_power_one_averages_and_a_large_one_takes_the_maximum(images):
    positive = np.abs(images) + 0.5
    mean = GeneralizedMeanPooling(1.0)(Tensor(positive)).asnumpy()
    assert_close(mean, positive.mean((2, 3), keepdims=True))
    largest = GeneralizedMeanPooling(60.0)(Tensor(positive)).asnumpy()
    np.testing.assert_allclose(largest, positive.max((2, 3), keepdims=True), rtol=0.1)


def test_a_learned_power_is_a_parameter_that_learns(mode, images):
    cell = get_pooling("GeneralizedMeanPoolingP")
    assert [(p.name, p.shape, p.dtype) for p in cell.get_parameters()] == [("p", (1,), ms.float32)]
    assert np.abs(ours(cell, images)[2]["p"]) > 1e-3


def test_an_unknown_pooling_names_the_key_and_the_choices():
    with pytest.raises(ValueError, match=r"POOL_LAYER 'GeM' is unknown; .*'AdaptiveAvgMaxPool'"):
        get_pooling("GeM")
