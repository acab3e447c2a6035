import numpy as np
import torch
from mindspore import Tensor
from torch import nn

from fastreid.layers import SELayer

from .against_torch import assert_same, copy_weights, randomize


class TorchSE(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        hidden = channels // reduction
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


def test_squeeze_and_excitation_is_that_of_torch(mode, images):
    module = randomize(TorchSE(8, 2))
    cell = SELayer(8, 2)
    copy_weights(cell, module)
    assert_same(cell, module, images)


def test_the_hidden_layer_rounds_down():
    assert SELayer(40).fc[0].weight.shape == (2, 40)


def test_zero_weights_halve_every_channel(mode, images):
    module = TorchSE(8, 2)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    cell = SELayer(8, 2)
    copy_weights(cell, module)
    np.testing.assert_array_equal(cell(Tensor(images)).asnumpy(), images / 2)
