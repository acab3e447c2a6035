import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import Tensor
from torch.nn import functional

from fastreid.layers import GeneralizedMeanPooling, get_pooling, spatial_mean

from .against_torch import assert_close, assert_same, copy_weights, ours


class TorchGeM(torch.nn.Module):
    def __init__(self, norm=3.0, learned=False):
        super().__init__()
        self.p = torch.nn.Parameter(torch.full((1,), norm)) if learned else norm

    def forward(self, x):
        return functional.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(self.p), 1).pow(1 / self.p)


class TorchAvgMax(torch.nn.Module):
    def forward(self, x):
        return functional.adaptive_avg_pool2d(x, 1) + functional.adaptive_max_pool2d(x, 1)


class TorchClipAvg(torch.nn.Module):
    def forward(self, x):
        return functional.adaptive_avg_pool2d(x, 1).clamp(0, 1)


REFERENCES = {
    "Identity": torch.nn.Identity,
    "Flatten": lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Unflatten(1, (-1, 1, 1))),
    "GlobalAvgPool": lambda: torch.nn.AdaptiveAvgPool2d(1),
    "FastGlobalAvgPool": lambda: torch.nn.AdaptiveAvgPool2d(1),
    "GlobalMaxPool": lambda: torch.nn.AdaptiveMaxPool2d(1),
    "GeneralizedMeanPooling": TorchGeM,
    "GeneralizedMeanPoolingP": lambda: TorchGeM(learned=True),
    "AdaptiveAvgMaxPool": TorchAvgMax,
    "ClipGlobalAvgPool": TorchClipAvg,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_pooling_is_that_of_torch(mode, images, name):
    cell, module = get_pooling(name), REFERENCES[name]()
    copy_weights(cell, module)
    assert_same(cell, module, images)


@pytest.mark.parametrize("name", ["GlobalMaxPool", "GeneralizedMeanPoolingP"])
def test_equal_pixels_get_the_gradients_of_torch(mode, name):
    x = np.zeros((2, 3, 5, 4), np.float32)
    x[1] = 2.0
    cell, module = get_pooling(name), REFERENCES[name]()
    copy_weights(cell, module)
    assert_same(cell, module, x)


def test_any_power_can_be_fixed(mode, images):
    assert_same(GeneralizedMeanPooling(2.5), TorchGeM(2.5), images)


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


def test_spatial_mean_is_the_mean_over_height_and_width(images):
    assert_close(spatial_mean(Tensor(images)).asnumpy(), images.mean((2, 3)))


def test_an_unknown_pooling_names_the_key_and_the_choices():
    with pytest.raises(ValueError, match=r"POOL_LAYER 'GeM' is unknown; .*'AdaptiveAvgMaxPool'"):
        get_pooling("GeM")
