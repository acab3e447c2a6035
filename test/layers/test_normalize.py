import numpy as np
import torch
from mindspore import nn

from fastreid.layers import l2_normalize
from test.alignment.against_torch import assert_same


class Normalize(nn.Cell):
    def construct(self, x):
        return l2_normalize(x)


class TorchNormalize(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.normalize(x)


def test_rows_get_unit_length_as_in_torch(mode):
    x = np.random.RandomState(0).randn(4, 6).astype(np.float32)
    x[1] *= 1e-5
    assert_same(Normalize(), TorchNormalize(), x)


def test_rows_of_all_sizes_get_unit_length_and_the_right_gradient(mode):
    x = np.random.RandomState(0).randn(4, 6) * np.float64([[1e-13], [1e-8], [1e2], [1e9]])
    for row in x.astype(np.float32):
        assert_same(Normalize(), TorchNormalize(), row[None])


def test_a_row_of_zeros_stays_zero_and_has_a_finite_gradient(mode):
    x = np.zeros((2, 3), np.float32)
    assert_same(Normalize(), TorchNormalize(), x)
