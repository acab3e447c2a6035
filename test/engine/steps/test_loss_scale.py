import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.engine.steps.loss_scale import INITIAL_SCALE, STEPS_UNTIL_LARGER, LossScale
from fastreid.engine.steps.train_step import GradientStep, LossForward, TrainStep
from fastreid.solver.clip import GradientClipper
from test.engine.steps.test_train_step import sgd
from test.engine.test_meta_trainer import meta_trainer
from test.engine.toy import (
    PowerLosses,
    ToyMetaModel,
    ToyModel,
    batch_of,
    changed,
    randomize,
    tensors,
    values,
)

# Of which no toy gradient stays finite in float32, though the loss does.
TOO_LARGE = np.float32(3e38)


def loss_scale(scale=INITIAL_SCALE, steps=0):
    made = LossScale(enabled=True)
    made.load_state_dict({"scale": np.float32(scale), "steps": np.int32(steps)})
    return made


def step_of(model, scale):
    parameters = [model.heads.weight, model.backbone.weight]
    forward = LossForward(model, PowerLosses())
    step = TrainStep(forward, [sgd(parameters)], GradientClipper(), loss_scale=scale)
    return step.set_train()


def state_of(scale):
    return {key: value.item() for key, value in scale.state_dict().items()}


@pytest.fixture
def model():
    return randomize(ToyModel())


def test_scaled_gradients_come_out_as_they_would_without_a_scale(mode, model):
    parameters = [model.heads.weight, model.backbone.weight]
    forward = LossForward(model, PowerLosses())
    plain = GradientStep(forward, parameters).set_train()
    scaled = GradientStep(forward, parameters, loss_scale=loss_scale(2**10)).set_train()
    want_losses, _, _, want = plain(*tensors(batch_of(0)))
    losses, _, finite, got = scaled(*tensors(batch_of(0)))
    assert bool(finite.asnumpy())
    np.testing.assert_array_equal(losses.asnumpy(), want_losses.asnumpy())
    for one, other in zip(got, want):
        # A power of two changes no bit of a float32 in range.
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


def test_what_is_scaled_is_the_loss_before_the_backward_pass(mode):
    scale = loss_scale(8)
    assert float(scale.scale(Tensor(1.5, ms.float32)).asnumpy()) == 12
    (gradient,) = scale.unscale((Tensor([[16.0, 4.0]], ms.float32),))
    np.testing.assert_array_equal(gradient.asnumpy(), [[2.0, 0.5]])


def test_an_overflow_halves_the_scale_skips_the_update_and_counts_as_finite(mode, model):
    scale = loss_scale(TOO_LARGE, steps=5)
    step, before = step_of(model, scale), values(model)
    _, _, is_finite = step(*tensors(batch_of(0)))
    assert bool(is_finite.asnumpy())
    assert changed(model, before) == set()
    assert state_of(scale) == {"scale": TOO_LARGE / 2, "steps": 0}


def test_training_goes_on_once_the_scale_is_small_enough(mode, model):
    scale = loss_scale(TOO_LARGE)
    step, before = step_of(model, scale), values(model)
    for _ in range(10):
        step(*tensors(batch_of(0)))
    assert changed(model, before) == {"heads.weight", "backbone.weight"}
    assert scale.state_dict()["scale"] < TOO_LARGE


def test_the_scale_doubles_after_enough_steps_without_overflow(mode, model):
    scale = loss_scale(16, steps=STEPS_UNTIL_LARGER - 2)
    step = step_of(model, scale)
    step(*tensors(batch_of(0)))
    assert state_of(scale) == {"scale": 16, "steps": STEPS_UNTIL_LARGER - 1}
    step(*tensors(batch_of(0)))
    assert state_of(scale) == {"scale": 32, "steps": 0}


def test_a_loss_that_is_not_finite_is_reported(mode, model):
    _, _, is_finite = step_of(model, loss_scale())(*tensors(batch_of(1, broken=True)))
    assert not bool(is_finite.asnumpy())


def test_gradients_that_are_not_finite_at_a_scale_of_one_are_reported(mode):
    scale = loss_scale(1)
    is_finite = scale.is_finite(Tensor(1.0, ms.float32), Tensor(False))
    assert not bool(is_finite.asnumpy())
    scale.adjust(Tensor(False))
    assert state_of(scale) == {"scale": 1, "steps": 0}


def test_an_overflow_in_a_meta_step_skips_it_and_halves_the_scale_once(mode):
    model = randomize(ToyMetaModel())
    scale = loss_scale(TOO_LARGE)
    trainer = meta_trainer(model, loss_scale=scale)
    before = values(model)
    record = trainer.meta_update(batch_of(1, rows=6), batch_of(2))
    assert bool(record.is_finite.asnumpy())
    assert np.isfinite([part.asnumpy().sum() for part in record.losses]).all()
    assert changed(model, before) == set()
    assert state_of(scale)["scale"] == TOO_LARGE / 2


def test_the_state_survives_a_round_trip():
    state = loss_scale(128, steps=7).state_dict()
    restored = LossScale(enabled=True)
    restored.load_state_dict(state)
    assert state_of(restored) == {"scale": 128, "steps": 7}
