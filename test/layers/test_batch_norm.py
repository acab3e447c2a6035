import re

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import Tensor, nn

from fastreid.layers import (
    IBN,
    BatchNorm,
    FrozenBatchNorm,
    GroupNorm,
    InstanceNorm,
    SyncBatchNorm,
    get_norm,
    held_statistics,
)
from test.alignment.against_torch import (
    assert_close,
    assert_same,
    copy_weights,
    feature_map,
    ours,
    projection,
    randomize,
)


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
    assert isinstance(get_norm("FrozenBN", 8), FrozenBatchNorm)
    assert isinstance(get_norm("GN", 64), GroupNorm)
    choices = "['BN', 'FrozenBN', 'GN', 'IN', 'syncBN']"
    with pytest.raises(ValueError, match=rf"'BNN' is unknown; .* {re.escape(choices)}"):
        get_norm("BNN", 8)


@pytest.mark.parametrize("training", [True, False])
def test_a_frozen_batch_norm_uses_and_keeps_its_statistics(mode, images, training):
    cell, module = FrozenBatchNorm(8), randomize(torch.nn.BatchNorm2d(8)).eval()
    copy_weights(cell, module)
    before = statistics(cell)
    x = torch.tensor(images, requires_grad=True)
    want = module(x)
    (want * torch.tensor(projection(images.shape))).sum().backward()
    output, gradient, gradients = ours(cell.set_train(training), images)
    assert gradients == {}
    assert_close(output, want.detach().numpy())
    assert_close(gradient, x.grad.numpy())
    for now, old in zip(statistics(cell), before):
        np.testing.assert_array_equal(now, old)


def test_a_new_frozen_batch_norm_changes_nothing(images):
    assert_close(FrozenBatchNorm(8)(Tensor(images)).asnumpy(), images)


@pytest.mark.parametrize("size", [(7, 5), (1, 1)])
def test_group_norms_are_pytorchs(mode, size):
    x = feature_map(size, channels=64)
    cell, module = pair(GroupNorm(64), torch.nn.GroupNorm(32, 64))
    assert_same(cell.set_train(), module, x, tolerance=1e-5)


def test_group_norms_of_half_precision_maps_are_computed_in_single_precision():
    x = feature_map((4, 3), channels=64)
    cell = GroupNorm(64)
    half = cell(Tensor(x, ms.float16))
    assert half.dtype == ms.float16
    np.testing.assert_allclose(half.asnumpy(), cell(Tensor(x)).asnumpy(), rtol=0, atol=5e-3)


def test_a_width_that_32_groups_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="'GN' has 32 groups, which do not divide 48 channels"):
        get_norm("GN", 48)
