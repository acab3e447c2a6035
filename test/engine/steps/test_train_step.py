import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.config import get_cfg
from fastreid.engine.steps.train_step import (
    AllFinite,
    GradientStep,
    JoinedCriteria,
    LossForward,
    TrainStep,
    classification_accuracy,
)
from fastreid.solver import SGD, ParamGroup, build_gradient_clipper
from fastreid.solver.clip import GradientClipper
from test.engine.toy import PowerLosses, ToyModel, batch_of, changed, randomize, tensors, values

RATE, DECAY = 0.1, 0.01
SHAPES = ((5,), (4, 3), (2, 3, 3, 3))


@pytest.fixture
def model():
    return randomize(ToyModel())


def by_hand(model, batch):
    """Losses and gradients of the toy model, in NumPy."""
    first = model.backbone.weight.asnumpy().astype(np.float64)
    second = model.heads.weight.asnumpy().astype(np.float64)
    pooled = batch["images"].astype(np.float64).mean((2, 3))
    hidden = pooled @ first.T
    logits = hidden @ second.T
    error = logits - np.eye(2)[batch["targets"]]
    losses = [(error**2).mean(), 0.1 * (logits**2).mean()]
    slope = (2 * error + 0.2 * logits) / logits.size
    gradients = {
        "backbone.weight": (slope @ second).T @ pooled,
        "heads.weight": slope.T @ hidden,
    }
    accuracy = (logits.argmax(1) == batch["targets"]).mean()
    return losses, gradients, accuracy


def sgd(parameters, **options):
    return SGD([ParamGroup(tuple(parameters), RATE, DECAY)], **options)


def step_of(model, clipper=None, split=True, **options):
    forward = LossForward(model, PowerLosses())
    optimizers = [sgd([model.heads.weight], **options), sgd([model.backbone.weight], **options)]
    if not split:
        optimizers = optimizers[:1]
    return TrainStep(forward, optimizers, clipper or GradientClipper()).set_train()


def assert_values(model, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(values(model)[name], value, rtol=1e-5, atol=1e-6)


def test_a_step_is_sgd_on_the_plain_sum_of_the_losses(mode, model):
    step, batch = step_of(model), batch_of(0)
    for _ in range(2):
        losses, gradients, accuracy = by_hand(model, batch)
        expected = {
            name: value - RATE * (gradients[name] + DECAY * value)
            for name, value in values(model).items()
        }
        got_losses, got_accuracy, finite = step(*tensors(batch))
        np.testing.assert_allclose(got_losses.asnumpy(), losses, rtol=1e-5)
        assert float(got_accuracy.asnumpy()) == pytest.approx(accuracy)
        assert bool(finite.asnumpy())
        assert_values(model, expected)


def test_only_parameters_of_the_optimizers_change(mode, model):
    step, before = step_of(model, split=False), values(model)
    step(*tensors(batch_of(0)))
    assert changed(model, before) == {"heads.weight"}


def test_gradients_are_clipped_before_the_update(mode, model):
    cfg = get_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "value"
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = 0.02
    step, batch = step_of(model, build_gradient_clipper(cfg)), batch_of(0)
    _, gradients, _ = by_hand(model, batch)
    expected = {
        name: value - RATE * (np.clip(gradients[name], -0.02, 0.02) + DECAY * value)
        for name, value in values(model).items()
    }
    step(*tensors(batch))
    assert_values(model, expected)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_that_is_not_finite_is_reported_and_changes_nothing(mode, model, momentum):
    step = step_of(model, momentum=momentum)
    step(*tensors(batch_of(0)))
    before, states = values(model), [optimizer.state_dict() for optimizer in step.update.optimizers]
    losses, _, finite = step(*tensors(batch_of(1, broken=True)))
    assert not bool(finite.asnumpy())
    assert np.isnan(losses.asnumpy()).all()
    assert changed(model, before) == set()
    for optimizer, state in zip(step.update.optimizers, states):
        for name, value in optimizer.state_dict().items():
            np.testing.assert_array_equal(value, state[name])
    _, _, finite = step(*tensors(batch_of(2)))
    assert bool(finite.asnumpy())
    assert changed(model, before) == {"backbone.weight", "heads.weight"}


def test_a_gradient_step_gives_gradients_and_changes_nothing(mode, model):
    parameters = [model.heads.weight, model.backbone.weight]
    step = GradientStep(LossForward(model, PowerLosses()), parameters).set_train()
    before, batch = values(model), batch_of(0)
    losses, gradients, share_right = by_hand(model, batch)
    got_losses, accuracy, finite, got = step(*tensors(batch))
    assert float(accuracy.asnumpy()) == pytest.approx(share_right)
    np.testing.assert_allclose(got_losses.asnumpy(), losses, rtol=1e-5)
    assert bool(finite.asnumpy())
    for parameter, gradient in zip(parameters, got):
        want = gradients[parameter.name]
        np.testing.assert_allclose(gradient.asnumpy(), want, rtol=1e-4, atol=1e-6)
    assert changed(model, before) == set()
    _, _, finite, _ = step(*tensors(batch_of(1, broken=True)))
    assert not bool(finite.asnumpy())


def test_weights_choose_the_phase_whose_losses_count(mode, model):
    parameters = [model.heads.weight, model.backbone.weight]
    joined = JoinedCriteria([PowerLosses(2), PowerLosses(4)])
    step = GradientStep(LossForward(model, joined), parameters).set_train()
    batch = tensors(batch_of(0))
    for power, weights in ((2, [1, 1, 0, 0]), (4, [0, 0, 1, 1])):
        alone = GradientStep(LossForward(model, PowerLosses(power)), parameters).set_train()
        losses, _, _, wanted = alone(*batch)
        got_losses, _, _, got = step(*batch, Tensor(weights, ms.float32))
        chosen = got_losses.asnumpy()[np.array(weights, bool)]
        np.testing.assert_array_equal(chosen, losses.asnumpy())
        for ours, theirs in zip(got, wanted):
            np.testing.assert_allclose(ours.asnumpy(), theirs.asnumpy(), rtol=1e-5, atol=1e-7)


def test_accuracy_counts_rows_whose_class_has_the_largest_logit(mode):
    logits = np.float32([[3, 1, 2], [0, 5, 1], [0, 1, 9], [4, 1, 1]])
    got = classification_accuracy(Tensor(logits), Tensor(np.array([0, 1, 0, 0], np.int32)))
    assert float(got.asnumpy()) == 0.75


def test_accuracy_uses_the_classifier_of_each_rows_domain(mode):
    first = Tensor(np.float32([[1, 0], [1, 0], [9, 0], [0, 9]]))
    second = Tensor(np.float32([[9, 0, 0], [0, 1, 2], [0, 1, 2], [0, 1, 2]]))
    # Right: row 0 (class 0 of the first) and row 2 (class 2 of the second).
    targets = Tensor(np.array([0, 1, 4, 3], np.int32))
    assert float(classification_accuracy((first, second), targets).asnumpy()) == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found_wherever_it_is(mode, bad):
    all_finite = AllFinite()
    rng = np.random.RandomState(0)
    total = Tensor(1.5, ms.float32)
    # Numbers whose sums and squares would overflow are finite themselves.
    gradients = [3e38 * rng.uniform(-1, 1, shape).astype(np.float32) for shape in SHAPES]
    assert bool(all_finite(total, tuple(map(Tensor, gradients))).asnumpy())
    assert not bool(all_finite(Tensor(bad, ms.float32), tuple(map(Tensor, gradients))).asnumpy())
    for k, gradient in enumerate(gradients):
        for place in (0, gradient.size - 1):
            spoiled = [value.copy() for value in gradients]
            spoiled[k].reshape(-1)[place] = bad
            assert not bool(all_finite(total, tuple(map(Tensor, spoiled))).asnumpy()), (k, place)
