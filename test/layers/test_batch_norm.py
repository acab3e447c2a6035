import numpy as np
import pytest
import torch
from mindspore import Tensor, nn

from fastreid.layers import (
    IBN,
    BatchNorm,
    InstanceNorm,
    SyncBatchNorm,
    get_norm,
    held_statistics,
)
from test.alignment.against_torch import assert_close, copy_weights, ours, randomize


@pytest.fixture
def images():
    return np.random.RandomState(1).randn(2, 8, 7, 5).astype(np.float32)


def pair(cell, module):
    copy_weights(cell, randomize(module))
    return cell, module


def statistics(cell):
    return cell.moving_mean.asnumpy().copy(), cell.moving_variance.asnumpy().copy()


def test_two_steps_move_the_statistics_twice(mode, images):
    cell, module = pair(BatchNorm(8, momentum=0.3), torch.nn.BatchNorm2d(8, momentum=0.3))
    cell.set_train()
    for scale in (1, 2):
        cell(Tensor(scale * images))
        module(torch.tensor(scale * images))
    mean, variance = statistics(cell)
    assert_close(mean, module.running_mean.numpy())
    assert_close(variance, module.running_var.numpy())


class Scaled(nn.Cell):
    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def construct(self, x, scale):
        return self.norm.scaled(x, scale)


@pytest.mark.parametrize("training", [True, False])
def test_a_scale_multiplies_the_output(mode, images, training):
    cell, module = pair(BatchNorm(8), torch.nn.BatchNorm2d(8))
    scale = np.random.RandomState(5).rand(8).astype(np.float32)
    want = module.train(training)(torch.tensor(images)).detach().numpy()
    got = Scaled(cell).set_train(training)(Tensor(images), Tensor(scale)).asnumpy()
    assert_close(got, want * scale.reshape(1, 8, 1, 1))


def test_a_frozen_shift_is_added_but_not_trained(mode, images):
    cell = BatchNorm(8, bias_freeze=True, weight_init=2.0, bias_init=3.0)
    output, _, gradients = ours(cell.set_train(False), images)
    assert gradients.keys() == {"weight"}
    assert_close(output, 2 * images / np.sqrt(1 + 1e-5) + 3)


def test_instance_norm_does_not_depend_on_earlier_batches(mode, images):
    cell, module = pair(InstanceNorm(8), torch.nn.InstanceNorm2d(8, affine=True))
    cell.set_train()
    for scale in (5, 1):
        got = cell(Tensor(scale * images)).asnumpy()
    assert_close(got, module(torch.tensor(images)).detach().numpy())


def test_holding_is_undone_when_the_block_raises():
    cell = IBN(8)
    with pytest.raises(RuntimeError, match="stop"), held_statistics(cell):
        assert cell.BN.hold
        raise RuntimeError("stop")
    assert not cell.BN.hold


def test_get_norm_builds_by_name():
    assert isinstance(get_norm("BN", 8), BatchNorm)
    assert isinstance(get_norm("IN", 8), InstanceNorm)
    assert isinstance(get_norm("syncBN", 8), SyncBatchNorm)
    with pytest.raises(ValueError, match=r"'BNN' is unknown; .* \['BN', 'IN', 'syncBN'\]"):
        get_norm("BNN", 8)
