"""Norms over processes, without processes: what they send comes back as if from others."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from fastreid.layers import BatchNorm, InTurn, SyncBatchNorm, in_turn, kernels, sync_batch_norm
from fastreid.modeling.backbones.meta_dynamic_router_resnet import AdaptiveStage
from fastreid.modeling.backbones.resnet_specs import StageSpec
from fastreid.modeling.ops import MetaSyncBNNorm, meta_norm
from test.alignment.against_torch import assert_close


class Twice(nn.Cell):
    """The all-gather of two processes that have the same rows."""

    def construct(self, message):
        return ops.Concat(0)((message, message))


class Double(nn.Cell):
    """Their all-reduce."""

    def construct(self, message):
        return ops.Add()(message, message)


@pytest.fixture
def images():
    return np.random.RandomState(1).randn(4, 5, 3, 2).astype(np.float32) + 10


@pytest.fixture
def two_processes(monkeypatch):
    monkeypatch.setattr(sync_batch_norm, "get_world_size", lambda: 2)
    monkeypatch.setattr(ops, "AllGather", Twice)
    monkeypatch.setattr(ops, "AllReduce", Double)


class Gradients(nn.Cell):
    """Output, and gradients of input, scale and shift, of a sum with fixed weights."""

    def __init__(self, norm, weights):
        super().__init__()
        self.norm = norm
        self.weights = Tensor(weights)
        parameters = ms.ParameterTuple(norm.trainable_params())
        self.gradients = ms.value_and_grad(self.forward, 0, parameters, has_aux=True)

    def forward(self, x):
        y = self.norm(x)
        return (y * self.weights).sum(), y

    def construct(self, x):
        (_, y), (dx, (dgamma, dbeta)) = self.gradients(x)
        return y, dx, dgamma, dbeta


def run(norm, images, weights, *, hold):
    norm.hold = hold
    cell = Gradients(norm, weights).set_train()
    found = [each.asnumpy() for each in cell(Tensor(images))]
    return found, [norm.moving_mean.asnumpy(), norm.moving_variance.asnumpy()]


@pytest.mark.parametrize("hold", [False, True])
def test_two_processes_are_one_with_the_rows_of_both(mode, images, two_processes, hold):
    weights = np.random.RandomState(2).randn(*images.shape).astype(np.float32)
    (y, dx, dgamma, dbeta), statistics = run(SyncBatchNorm(5), images, weights, hold=hold)
    joined = np.concatenate([images, images]), np.concatenate([weights, weights])
    want, wanted_statistics = run(BatchNorm(5), *joined, hold=hold)
    assert_close(y, want[0][:4])
    # Both have the gradient of the sum of both losses, and their own half of that of scale, shift.
    assert_close(dx, want[1][:4])
    assert_close(dgamma, want[2] / 2)
    assert_close(dbeta, want[3] / 2)
    for found, wanted in zip(statistics, wanted_statistics):
        assert_close(found, wanted)


def test_a_large_mean_does_not_swallow_the_variance(two_processes):
    images = np.random.RandomState(3).randn(8, 1, 4, 4).astype(np.float32) + 3000
    norm = SyncBatchNorm(1, momentum=1.0).set_train()
    norm(Tensor(images))
    # float32 squares of 3000 are known to 0.5: their difference is off by as much as the variance.
    variance = images.astype(np.float64).var() * 256 / 255
    np.testing.assert_allclose(norm.moving_variance.asnumpy(), [variance], rtol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_a_single_process_has_plain_batch_norm_bit_by_bit(images, training):
    found = [norm(5).set_train(training)(Tensor(images)) for norm in (BatchNorm, SyncBatchNorm)]
    np.testing.assert_array_equal(found[0].asnumpy(), found[1].asnumpy())


def test_evaluation_sends_nothing(images, two_processes):
    norm = SyncBatchNorm(5).set_train(False)
    want = BatchNorm(5).set_train(False)(Tensor(images))
    np.testing.assert_array_equal(norm(Tensor(images)).asnumpy(), want.asnumpy())


def test_two_passes_move_the_statistics_as_far_as_one(images, two_processes):
    once, twice = SyncBatchNorm(5).set_train(), SyncBatchNorm(5).set_train()
    twice.move_in_two_parts()
    for norm, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            norm(Tensor(images))
    assert_close(twice.moving_mean.asnumpy(), once.moving_mean.asnumpy())


def test_branches_wait_for_each_other_only_where_both_may_send(two_processes):
    assert isinstance(in_turn(nn.SequentialCell(SyncBatchNorm(4))), InTurn)
    assert not isinstance(in_turn(BatchNorm(4)), InTurn)


def test_meta_norms_go_by_name():
    assert meta_norm("syncBN") is MetaSyncBNNorm
    with pytest.raises(ValueError, match=r"NORM 'IN' is unknown to ACL's .* \['BN', 'syncBN'\]"):
        meta_norm("IN")


class Chain:
    """Notes messages, and changes the outcome of one of them.

    A message that this does not change may be sent before it.
    """

    def __init__(self):
        self.messages, self.changed = [], -1

    def send(self, message):
        is_changed = len(self.messages) == self.changed
        self.messages.append(message.asnumpy().copy())
        return message * (1.1 if is_changed else 1.0)

    def watch(self, function, changed):
        """The messages of a run in which one's outcome is another."""
        self.messages, self.changed = [], changed
        function()
        return self.messages


@pytest.fixture
def chain(monkeypatch):
    """Messages of two processes, in PyNative mode, where Python sees each of them."""
    chain = Chain()

    class Carrying(InTurn):
        """Changes the numbers of what waits too, which `ops.depend` does not: the test sees it."""

        def construct(self, x, first):
            return x + 0.01 * first.sum(), first

        def bprop(self, _x, _first, _out, dout):
            return dout[0], dout[1] + 0.01 * dout[0].sum()

    monkeypatch.setattr(sync_batch_norm, "get_world_size", lambda: 2)
    monkeypatch.setattr(kernels, "InTurn", Carrying)
    monkeypatch.setattr(ops, "AllGather", lambda: lambda m: Twice()(chain.send(m)))
    monkeypatch.setattr(ops, "AllReduce", lambda: lambda m: Double()(chain.send(m)))
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield chain
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.slow
def test_every_message_of_acls_parallel_branches_comes_after_the_one_before(chain):
    options = {"blocks_with_ibn": False, "adaptors_with_ibn": False, "with_se": False}
    stage = AdaptiveStage(16, StageSpec(8, 2, 2, 0), norm="syncBN", **options).set_train()
    x = Tensor(np.random.RandomState(4).randn(2, 16, 6, 4).astype(np.float32))
    gradients = ms.grad(lambda x: (stage(x)[0] ** 2).sum(), 0, stage.trainable_params())
    usual = chain.watch(lambda: gradients(x), changed=-1)
    # A block with a shortcut has 4 norms, the adaptors 3, and 2 come after the branches.
    assert len(usual) == 2 * (4 + 3 + 2)
    for place in range(len(usual) - 1):
        found = chain.watch(lambda: gradients(x), changed=place)
        assert np.array_equal(found[place], usual[place])
        assert not np.array_equal(found[place + 1], usual[place + 1]), f"{place + 1} does not wait"
