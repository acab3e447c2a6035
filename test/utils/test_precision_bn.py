"""Precise running statistics against plain means over the batches."""

import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from fastreid.layers import BatchNorm, Conv2d
from fastreid.utils.precision_bn import get_bn_modules, update_bn_stats


class TwoNorms(nn.Cell):
    """The first norm sees the images; the second does not run."""

    def __init__(self):
        super().__init__()
        self.bn = BatchNorm(3)
        self.unused = BatchNorm(3)
        self.conv = Conv2d(3, 2, 1)
        self.second = BatchNorm(2)

    def outputs(self, images, targets):
        return {"features": self.second(self.conv(self.bn(images)))}


def batches(count):
    rng = np.random.RandomState(0)
    return [{"images": 3 + rng.randn(4, 3, 2, 2).astype(np.float32)} for _ in range(count)]


def test_statistics_become_the_means_over_the_batches(mode):
    model, data = TwoNorms(), batches(3)
    ops.assign(model.bn.moving_mean, Tensor([5.0, -7.0, 0.0]))
    ops.assign(model.unused.moving_mean, Tensor([1.0, 2.0, 3.0]))
    update_bn_stats(model, iter(data), 3)
    pixels = [batch["images"].transpose(1, 0, 2, 3).reshape(3, -1) for batch in data]
    mean = np.mean([each.mean(1) for each in pixels], 0)
    variance = np.mean([each.var(1, ddof=1) for each in pixels], 0)
    np.testing.assert_allclose(model.bn.moving_mean.asnumpy(), mean, rtol=5e-6)
    np.testing.assert_allclose(model.bn.moving_variance.asnumpy(), variance, rtol=5e-6)
    np.testing.assert_allclose(model.unused.moving_mean.asnumpy(), [1, 2, 3], rtol=1e-6)
    # The first norm gives the second one batches of mean 0.
    np.testing.assert_allclose(model.second.moving_mean.asnumpy(), 0, atol=1e-6)


def test_norms_that_move_their_statistics_are_found():
    model = TwoNorms()
    assert get_bn_modules(model) == [model.bn, model.unused, model.second]
    model.unused.momentum = 0.0
    assert get_bn_modules(model) == [model.bn, model.second]
    update_bn_stats(Conv2d(3, 2, 1), [], 1)


def test_too_few_batches_are_refused():
    with pytest.raises(ValueError, match="has 2 batches, but 3 were asked for"):
        update_bn_stats(TwoNorms(), batches(2), 3)
    with pytest.raises(ValueError, match="number of batches is 0"):
        update_bn_stats(TwoNorms(), batches(2), 0)
