import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from fastreid.layers import IBN, BatchNorm, Conv2d, InstanceNorm, Linear, held_statistics
from fastreid.modeling.ops import (
    MetaBNNorm,
    MetaConv2d,
    MetaGate,
    MetaIBNNorm,
    MetaINNorm,
    MetaLinear,
    MetaParam,
    meta_parameters,
)
from test.alignment.against_torch import assert_close, ours

PAIRS = {
    "conv": (
        lambda: MetaConv2d(4, 6, 3, stride=2, padding=1),
        lambda: Conv2d(4, 6, 3, stride=2, padding=1),
    ),
    "bn": (lambda: MetaBNNorm(4), lambda: BatchNorm(4)),
    "bn with a frozen shift": (
        lambda: MetaBNNorm(4, bias_freeze=True),
        lambda: BatchNorm(4, bias_freeze=True),
    ),
    "in": (lambda: MetaINNorm(4), lambda: InstanceNorm(4)),
    "ibn": (lambda: MetaIBNNorm(4), lambda: IBN(4)),
}


@pytest.fixture
def images():
    return np.random.RandomState(0).randn(3, 4, 5, 6).astype(np.float32)


def twins(meta, plain):
    """The two cells with the same random values in all tensors."""
    rng = np.random.RandomState(1)
    theirs = {p.name: p for p in plain.get_parameters()}
    assert list(theirs) == [p.name for p in meta.get_parameters()]
    for parameter in meta.get_parameters():
        value = Tensor((1 + 0.3 * rng.rand(*parameter.shape)).astype(np.float32))
        ops.assign(parameter, value)
        ops.assign(theirs[parameter.name], value)
        assert parameter.requires_grad == theirs[parameter.name].requires_grad
    return meta, plain


def assert_same_cells(meta, plain, inputs):
    got, want = ours(meta, inputs), ours(plain, inputs)
    assert_close(got[0], want[0])
    assert_close(got[1], want[1])
    assert got[2].keys() == want[2].keys()
    for name, gradient in want[2].items():
        assert_close(got[2][name], gradient)
    for mine, theirs in zip(meta.get_parameters(), plain.get_parameters()):
        np.testing.assert_array_equal(mine.asnumpy(), theirs.asnumpy())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", PAIRS)
def test_a_meta_cell_computes_what_the_plain_one_does(mode, images, name, training):
    make_meta, make_plain = PAIRS[name]
    meta, plain = twins(make_meta().set_train(training), make_plain().set_train(training))
    assert_same_cells(meta, plain, images)


def test_meta_linear_computes_what_linear_does(mode):
    x = np.random.RandomState(0).randn(3, 4).astype(np.float32)
    meta, plain = twins(MetaLinear(4, 5), Linear(4, 5))
    assert_same_cells(meta, plain, x)


def test_the_gate_is_a_fraction_per_channel(mode):
    gate = MetaGate(3)
    ops.assign(gate.gate, Tensor(np.float32([0, np.log(3), -100])))
    np.testing.assert_allclose(gate().asnumpy(), [0.5, 0.75, 0], rtol=1e-5, atol=1e-30)


def test_gate_and_centres_start_normal():
    assert MetaGate(20000).gate.asnumpy().std() == pytest.approx(0.1, rel=0.03)
    assert MetaParam(200, 100).centers.asnumpy().std() == pytest.approx(0.01, rel=0.03)


def test_centres_give_squared_distances_to_the_own_identity(mode):
    features = np.random.RandomState(0).randn(3, 4).astype(np.float32)
    cell = MetaParam(4, 5)
    centres = np.random.RandomState(1).randn(5, 4).astype(np.float32)
    ops.assign(cell.centers, Tensor(centres))
    targets = [4, 0, 4]
    got = cell(Tensor(features), Tensor(targets, ms.int32)).asnumpy()
    assert got.shape == (3,)
    for i, target in enumerate(targets):
        assert got[i] == pytest.approx(((features[i] - centres[target]) ** 2).sum(), rel=1e-5)


class SmallNet(nn.Cell):
    """Meta cells with a plain one and a frozen one between."""

    def __init__(self):
        super().__init__()
        self.conv = MetaConv2d(4, 4, 1)
        self.norm = MetaBNNorm(4)
        self.plain = Conv2d(4, 4, 1)
        self.neck = MetaBNNorm(4, bias_freeze=True)

    def construct(self, x):
        return self.neck(self.plain(ops.relu(self.norm(self.conv(x)))))


def test_the_inner_update_moves_the_trainable_parameters_of_meta_cells_and_no_others():
    net = SmallNet()
    names = [parameter.name for parameter in meta_parameters(net)]
    assert names == ["conv.weight", "norm.gamma", "norm.beta", "neck.gamma"]


def test_a_cell_without_meta_cells_has_no_meta_parameters():
    assert meta_parameters(nn.SequentialCell(Conv2d(3, 4, 1), BatchNorm(4))) == []


def test_statistics_are_held_for_the_block_and_let_go_after_an_error(images):
    net = SmallNet()
    net.neck.hold = True
    with pytest.raises(RuntimeError, match="stop"), held_statistics(net):
        assert net.norm.hold
        assert net.neck.hold
        raise RuntimeError("stop")
    assert not net.norm.hold
    assert net.neck.hold, "what was held before stays so"


class Step(nn.Cell):
    """A step of its own over a shared net, as the phases of training are."""

    def __init__(self, net):
        super().__init__(auto_prefix=False)
        self.net = net

    def construct(self, x):
        return self.net(x)


def test_steps_compiled_while_held_leave_the_statistics_and_the_others_move_them(mode, images):
    net = SmallNet()
    basic, meta = Step(net).set_train(), Step(net).set_train()
    x = Tensor(images)

    def statistics():
        return np.concatenate([net.norm.moving_mean.asnumpy(), net.norm.moving_variance.asnumpy()])

    for _ in range(2):
        before = statistics()
        general = basic(x).asnumpy()
        moved = statistics()
        assert not np.array_equal(moved, before)
        with held_statistics(net):
            held = meta(x).asnumpy()
        np.testing.assert_array_equal(statistics(), moved)
        np.testing.assert_allclose(held, general, rtol=1e-6, atol=1e-6)


def test_general_mode_follows_torchs_rule_and_eval_uses_the_running_statistics(mode, images):
    norm = MetaBNNorm(4)
    Step(norm).set_train()(Tensor(images))
    rows = images.transpose(1, 0, 2, 3).reshape(4, -1).astype(np.float64)
    mean, variance = 0.1 * rows.mean(1), 0.9 + 0.1 * rows.var(1, ddof=1)
    np.testing.assert_allclose(norm.moving_mean.asnumpy(), mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance.asnumpy(), variance, rtol=1e-5)
    got = Step(norm).set_train(False)(Tensor(images)).asnumpy()
    want = (images - mean.reshape(1, 4, 1, 1)) / np.sqrt(variance.reshape(1, 4, 1, 1) + 1e-5)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
