import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from fastreid.engine.steps.non_finite import NonFiniteError
from fastreid.engine.steps.statistics_watch import StatisticsWatch, not_finite
from fastreid.engine.steps.train_step import GradientStep, LossForward, TrainStep
from fastreid.layers import running_statistics
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from test.engine.test_meta_trainer import meta_trainer
from test.engine.test_train_loop import simple_trainer
from test.engine.toy import (
    PowerLosses,
    ToyMetaModel,
    ToyNormModel,
    batch_of,
    changed,
    randomize,
    tensors,
    values,
)


class BlindNormModel(ToyNormModel):
    """NaN behind the batch norm counts as 0: its statistics alone can go wrong."""

    def outputs(self, images, targets):
        maps = ops.stop_gradient(self.backbone(images))
        maps = ops.where(ops.isnan(maps), ops.zeros_like(maps), maps)
        return {"pred_class_logits": self.heads(maps.mean((2, 3)))}


def step_of(model):
    optimizer = SGD([ParamGroup(tuple(model.trainable_params()), 0.1, 0.0)])
    return TrainStep(LossForward(model, PowerLosses()), [optimizer], GradientClipper()).set_train()


def joined(model):
    return np.concatenate([each.asnumpy() for each in running_statistics(model)])


def test_a_finite_step_keeps_the_statistics_that_its_forward_pass_left(mode):
    model = randomize(ToyNormModel())
    step = step_of(model)
    for seed in range(3):
        before = joined(model)
        _, _, is_finite = step(*tensors(batch_of(seed)))
        assert bool(is_finite.asnumpy())
        assert (joined(model) != before).all()
        np.testing.assert_array_equal(step.update.watch.kept.asnumpy(), joined(model))


def test_statistics_that_are_not_finite_skip_the_update_though_losses_and_gradients_are(mode):
    model = randomize(BlindNormModel())
    step = step_of(model)
    step(*tensors(batch_of(0)))
    good, before = joined(model), values(model)
    losses, _, is_finite = step(*tensors(batch_of(1, broken=True)))
    assert np.isfinite(losses.asnumpy()).all()
    assert not bool(is_finite.asnumpy())
    spoiled = not_finite(running_statistics(model))
    assert spoiled
    assert changed(model, before) <= {"backbone.1.moving_mean", "backbone.1.moving_variance"}
    step.update.watch.restore()
    np.testing.assert_array_equal(joined(model), good)


def test_the_error_names_the_statistics_and_they_are_restored():
    model = randomize(BlindNormModel())
    trainer = simple_trainer(model, [batch_of(0), batch_of(7, broken=True), batch_of(2)] * 2)
    message = (
        r"running statistic of the basic step at iteration 1 is not finite: "
        r"backbone\.1\.moving_mean, backbone\.1\.moving_variance; losses: loss_square=\d.*"
        r"statistics were restored.*SOLVER\.IMS_PER_BATCH.*batch7_0\.jpg"
    )
    with pytest.raises(NonFiniteError, match=message) as caught:
        trainer.train(0, 6, 100)
    assert len(caught.value.statistics) == 2
    assert np.isfinite(joined(model)).all()


def test_a_norm_with_one_value_is_named_and_its_statistics_are_restored():
    model = randomize(ToyNormModel())
    batch = batch_of(3, rows=1)
    trainer = simple_trainer(model, [{**batch, "images": batch["images"][:, :, :1, :1]}] * 2)
    with pytest.raises(NonFiniteError, match=r"not finite: backbone\.1\.moving_variance; losses"):
        trainer.train(0, 2, 100)
    assert np.isfinite(joined(model)).all()


def test_weights_that_were_loaded_before_the_first_step_are_what_comes_back():
    model = randomize(ToyNormModel())
    trainer = simple_trainer(model, [batch_of(7, broken=True)])
    for each in running_statistics(model):
        ops.assign(each, Tensor(np.full(each.shape, 2.5, np.float32)))
    with pytest.raises(NonFiniteError):
        trainer.train(0, 1, 100)
    np.testing.assert_array_equal(joined(model), 2.5)


def test_acls_basic_steps_are_watched_and_meta_steps_leave_the_copy_alone():
    model = randomize(ToyMetaModel())
    trainer = meta_trainer(model, first_basic_steps=1, period=1)
    trainer.train(0, 2, 100)
    np.testing.assert_array_equal(trainer.watch.kept.asnumpy(), joined(model))
    trainer.data_loader = [batch_of(7, broken=True)]
    trainer._batches = None
    good = joined(model)
    with pytest.raises(NonFiniteError, match="moving_mean, norm.moving_variance; losses"):
        trainer.train(2, 3, 100)
    np.testing.assert_array_equal(joined(model), good)


def test_an_update_that_overflows_is_reported_before_anything_is_saved():
    model = randomize(ToyNormModel())
    trainer = simple_trainer(model, [batch_of(0)])
    weight = model.heads.weight
    ops.assign(trainer.optimizers[0].learning_rates[0], Tensor(3e38, ms.float32))
    ops.assign(weight, weight * 1e3)
    with pytest.raises(
        NonFiniteError, match=r"update of the basic step at iteration 0 made wei.*h"
    ) as caught:
        trainer.train(0, 1, 100)
    assert "heads.weight" in caught.value.parameters


def test_a_model_without_statistics_needs_no_watch(mode):
    watch = StatisticsWatch(())
    total = Tensor(1.5, ms.float32)
    assert watch.nan_unless_finite(total) is total
    assert watch.keep(total) is total
    watch.remember()
    watch.restore()


def test_a_gradient_step_checks_the_statistics_it_is_given(mode):
    model = randomize(BlindNormModel())
    forward, parameters = LossForward(model, PowerLosses()), model.trainable_params()
    batch = tensors(batch_of(1, broken=True))
    blind = GradientStep(forward, parameters).set_train()
    assert bool(blind(*batch)[2].asnumpy())
    watch = StatisticsWatch(running_statistics(model))
    step = GradientStep(forward, parameters, watch=watch).set_train()
    assert not bool(step(*batch)[2].asnumpy())
