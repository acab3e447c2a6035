import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.layers import GeneralizedMeanPooling, GeneralizedMeanPoolingP, get_pooling
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


@pytest.mark.parametrize("power", [1.0, 3.0, 9.0])
@pytest.mark.parametrize("kind", [GeneralizedMeanPooling, GeneralizedMeanPoolingP])
def test_channels_of_all_sizes_are_averaged_alike(mode, kind, power):
    sizes = np.logspace(-8, 2, 11)
    images = np.random.RandomState(0).uniform(-0.5, 1, (1, 11, 4, 3)) * sizes[:, None, None]
    images = images.astype(np.float32)
    output, gradient, _ = ours(kind(power), images)
    floored = np.maximum(images.astype(np.float64), 1e-6)
    want = (floored**power).mean((2, 3), keepdims=True) ** (1 / power)
    np.testing.assert_allclose(output, want, rtol=2e-6)
    slopes = (floored / want) ** (power - 1) / 12 * (images >= 1e-6)
    scales = np.abs(gradient).max((2, 3), keepdims=True) / np.maximum(
        slopes.max((2, 3), keepdims=True), 1e-30
    )
    np.testing.assert_allclose(np.abs(gradient), scales * slopes, rtol=1e-5, atol=1e-30)


def test_an_unknown_pooling_names_the_key_and_the_choices():
    with pytest.raises(ValueError, match=r"POOL_LAYER 'GeM' is unknown; .*'AdaptiveAvgMaxPool'"):
        get_pooling("GeM")
