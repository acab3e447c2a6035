"""Standardised pixels: the same bits in training, in less memory."""

import numpy as np
from mindspore import Tensor, nn

from fastreid.modeling.meta_arch.baseline import channel_constant, standardise
from test.graph_memory import GLIBC, kept_by

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class Standardised(nn.Cell):
    def __init__(self):
        super().__init__()
        self.mean, self.std = channel_constant(MEAN), channel_constant(STD)

    def construct(self, images):
        return standardise(images, self.mean, self.std, training=self.training)


def images(*size):
    return np.random.RandomState(5).uniform(0, 255, (3, 3, *size)).astype(np.float32)


def test_pixels_are_standardised_with_the_same_bits_in_training(mode):
    pixels = images(7, 5)
    mean, std = (np.float32(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    for training in (False, True):
        got = Standardised().set_train(training)(Tensor(pixels)).asnumpy()
        assert np.array_equal(got, (pixels - mean) / std)


@GLIBC
def test_standardised_images_keep_no_tables_of_indices():
    pixels = Tensor(images(512, 256))
    Standardised().set_train()(pixels)
    # Two tables for the difference and two for the quotient would take 38 MB.
    assert kept_by(Standardised().set_train(), pixels) < 10e6
