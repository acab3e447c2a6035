"""Depthwise convolutions against torch: those multiplied out, and those that are not."""

import numpy as np
import pytest
import torch

from fastreid.layers import Conv2d
from test.alignment.against_torch import assert_same, copy_weights

# (rows, channels, height, width), kernel, stride, padding, dilation. The first six are multiplied
# out; of the others the map is too large, or the images too few.
CASES = {
    "3x3": ((4, 12, 8, 4), 3, 1, 1, 1),
    "5x5 on odd sizes": ((3, 6, 7, 5), 5, 1, 2, 1),
    "stride": ((4, 6, 7, 5), 3, 2, 1, 1),
    "rectangle": ((4, 8, 9, 6), (5, 3), (1, 2), (3, 0), (1, 2)),
    "dilation, no padding": ((4, 5, 6, 6), 3, 1, 0, 2),
    "kernel wider than the map": ((8, 3, 2, 1), 5, 1, 2, 1),
    "large map": ((2, 4, 30, 20), 3, 1, 1, 1),
    "one image": ((1, 12, 12, 6), 3, 1, 1, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_depthwise_convolutions_and_their_gradients(mode, case):
    (rows, channels, *size), kernel, stride, padding, dilation = CASES[case]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels}
    conv = Conv2d(channels, channels, kernel, **options)
    module = torch.nn.Conv2d(channels, channels, kernel, bias=False, **options)
    copy_weights(conv, module)
    images = np.random.RandomState(3).randn(rows, channels, *size).astype(np.float32)
    assert_same(conv.set_train(), module, images)


def test_a_depthwise_convolution_takes_batches_of_any_number_of_images(mode):
    """Few and many images are computed in different ways by the same weights."""
    conv = Conv2d(6, 6, 3, padding=1, groups=6)
    module = torch.nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
    copy_weights(conv, module)
    images = np.random.RandomState(4).randn(40, 6, 12, 8).astype(np.float32)
    for rows in (1, 40):
        assert_same(conv, module, images[:rows])
