import numpy as np
from mindspore import Tensor, ops

from fastreid.layers import SELayer


def test_the_hidden_layer_rounds_down():
    assert SELayer(40).fc[0].weight.shape == (2, 40)


def test_zero_weights_halve_every_channel(mode, images):
    cell = SELayer(8, 2)
    for parameter in cell.get_parameters():
        ops.assign(parameter, ops.zeros_like(parameter))
    np.testing.assert_array_equal(cell(Tensor(images)).asnumpy(), images / 2)
