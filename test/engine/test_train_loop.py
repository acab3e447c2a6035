import numpy as np
import pytest

from fastreid.engine import HookBase, SimpleTrainer, TrainerBase
from fastreid.engine.steps.non_finite import NonFiniteError
from fastreid.engine.steps.train_step import LossForward
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from fastreid.utils.events import get_event_storage
from test.engine.toy import (
    PowerLosses,
    ToyModel,
    ToyNormModel,
    batch_of,
    changed,
    randomize,
    values,
)

POINTS = ("before_train", "before_epoch", "before_step", "after_step", "after_epoch", "after_train")


class Recorder(HookBase):
    """Writes down each call with the trainer's count at that time."""

    def __init__(self, log, name=""):
        for point in POINTS:
            setattr(
                self, point, lambda point=point: log.append(name + point + str(self.trainer.iter))
            )


class CountingTrainer(TrainerBase):
    def __init__(self, fail_at=None):
        super().__init__()
        self.fail_at = fail_at

    def run_step(self):
        if self.iter == self.fail_at:
            raise RuntimeError("stop here")


def test_hooks_are_called_at_their_points_in_order():
    trainer, log = CountingTrainer(), []
    trainer.register_hooks([Recorder(log)])
    trainer.train(0, 3, 2)
    assert log == [
        "before_train0",
        "before_epoch0",
        "before_step0",
        "after_step0",
        "before_step1",
        "after_step1",
        "after_epoch2",
        "before_epoch2",
        "before_step2",
        "after_step2",
        "after_train3",
    ]
    assert trainer.finished
    assert trainer.epoch == 1


@pytest.mark.parametrize("point", POINTS)
def test_a_subclass_extends_each_point_where_hooks_are_called(point):
    log = []

    def extended(trainer):
        log.append("own")
        getattr(CountingTrainer, point)(trainer)

    trainer = type("Extended", (CountingTrainer,), {point: extended})()
    trainer.register_hooks([Recorder(log)])
    trainer.train(0, 1, 1)
    own = log.index("own")
    assert log[own + 1].startswith(point)
    assert [name[:-1] for name in log if name != "own"] == list(POINTS)


def test_hooks_are_called_in_the_order_of_their_registration():
    trainer, log = CountingTrainer(), []
    trainer.register_hooks([Recorder(log, "a."), Recorder(log, "b.")])
    trainer.train(0, 1, 1)
    assert log[:4] == ["a.before_train0", "b.before_train0", "a.before_epoch0", "b.before_epoch0"]


def test_a_resumed_run_counts_on():
    trainer, log = CountingTrainer(), []
    trainer.register_hooks([Recorder(log)])
    trainer.train(3, 4, 2)
    assert log == ["before_train3", "before_step3", "after_step3", "after_epoch4", "after_train4"]


def test_an_error_passes_through_after_train_and_the_run_is_not_finished():
    trainer, log = CountingTrainer(fail_at=1), []
    trainer.register_hooks([Recorder(log)])
    with pytest.raises(RuntimeError, match="stop here"):
        trainer.train(0, 3, 2)
    assert log[-1] == "after_train1"
    assert not trainer.finished
    with pytest.raises(RuntimeError, match="no event storage"):
        get_event_storage()


def test_the_storage_has_iteration_and_epoch():
    seen = []

    class Watcher(HookBase):
        def after_step(self):
            seen.append((self.trainer.storage.iter, self.trainer.storage.epoch))

    trainer = CountingTrainer()
    trainer.register_hooks([Watcher()])
    trainer.train(0, 5, 2)
    assert seen == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)]


def sgd(*parameters, rate=0.1):
    return SGD([ParamGroup(parameters, rate, 0.0)])


def simple_trainer(model, batches, **options):
    options.setdefault("optimizers", [sgd(*model.trainable_params())])
    options.setdefault("log_period", 2)
    return SimpleTrainer(
        model,
        batches,
        forward=LossForward(model, PowerLosses()),
        clipper=GradientClipper(),
        **options,
    )


def test_losses_are_logged_at_the_first_iteration_and_every_period():
    trainer = simple_trainer(randomize(ToyModel()), [batch_of(i) for i in range(6)])
    trainer.train(0, 6, 100)
    histories = trainer.storage.histories()
    assert {"loss_square", "loss_power", "total_loss", "cls_accuracy", "data_time"} <= set(
        histories
    )
    assert [iteration for _, iteration in histories["total_loss"].values()] == [0, 1, 3, 5]
    assert [iteration for _, iteration in histories["data_time"].values()] == list(range(6))
    latest = {name: value for name, (value, _) in trainer.storage.latest().items()}
    assert latest["total_loss"] == pytest.approx(latest["loss_square"] + latest["loss_power"])


def test_training_lowers_the_loss_of_a_batch(mode):
    model = randomize(ToyModel())
    trainer = simple_trainer(model, [batch_of(0)] * 10, log_period=1)
    trainer.train(0, 10, 100)
    losses = [value for value, _ in trainer.storage.history("total_loss").values()]
    assert (np.diff(losses) < 0).all()


MESSAGE = (
    r"basic step at iteration 1 is not finite: loss_square=nan, loss_power=nan\. "
    r"The update was skipped\..*SOLVER\.BASE_LR.*batch7_0\.jpg, batch7_1\.jpg"
)


def test_a_step_that_is_not_finite_is_reported_one_step_late():
    model = randomize(ToyModel())
    batches = [batch_of(0), batch_of(7, broken=True), batch_of(2), batch_of(3)]
    trainer, log = simple_trainer(model, batches), []
    trainer.register_hooks([Recorder(log)])
    with pytest.raises(FloatingPointError, match=MESSAGE):
        trainer.train(0, 4, 100)
    assert trainer.iter == 2
    assert log[-1] == "after_train2"
    assert all(np.isfinite(value).all() for value in values(model).values())


def test_the_learning_rate_of_the_failed_step_is_reported():
    class Rate(HookBase):
        def before_step(self):
            self.trainer.storage.put_scalar("lr", 0.5 / (self.trainer.iter + 1))

    batches = [batch_of(0), batch_of(7, broken=True), batch_of(2), batch_of(3)]
    trainer = simple_trainer(randomize(ToyModel()), batches)
    trainer.register_hooks([Rate()])
    with pytest.raises(NonFiniteError, match="loss_power=nan, at the learning rate 0.25. The") as e:
        trainer.train(0, 4, 100)
    assert (e.value.iteration, e.value.learning_rate) == (1, 0.25)
    assert e.value.img_paths == batches[1]["img_paths"].tolist()
    assert set(e.value.terms) == {"loss_square", "loss_power"}


def test_a_last_step_that_is_not_finite_is_reported_at_the_finish():
    trainer = simple_trainer(randomize(ToyModel()), [batch_of(0), batch_of(7, broken=True)])
    with pytest.raises(FloatingPointError, match=MESSAGE):
        trainer.train(0, 2, 100)
    trainer.finish()


def test_a_step_that_is_not_finite_ends_its_epoch_before_anything_is_saved():
    trainer = simple_trainer(
        randomize(ToyModel()), [batch_of(0), batch_of(7, broken=True), batch_of(1)]
    )
    log = []
    trainer.register_hooks([Recorder(log)])
    with pytest.raises(FloatingPointError, match=MESSAGE):
        trainer.train(0, 3, 2)
    assert "after_epoch2" not in log
    assert log[-1] == "after_train2"
    assert not trainer.finished


def test_a_frozen_part_neither_learns_nor_moves_its_statistics_at_first(mode):
    model = randomize(ToyNormModel())
    heads = {p.name for p in model.heads.get_parameters()}
    everything = set(values(model))
    trainer = simple_trainer(
        model,
        [batch_of(i) for i in range(4)],
        optimizers=[sgd(*model.heads.trainable_params()), sgd(*model.backbone.trainable_params())],
        frozen_parts=["backbone"],
        freeze_iters=2,
    )
    moved, before = [], [values(model)]

    class Watcher(HookBase):
        def after_step(self):
            moved.append(changed(model, before[0]))
            before[0] = values(model)

    trainer.register_hooks([Watcher()])
    trainer.train(0, 4, 100)
    assert moved == [heads, heads, everything, everything]


def test_the_first_optimizer_is_the_one_to_log():
    model = ToyModel()
    optimizers = [sgd(model.heads.weight), sgd(model.backbone.weight, rate=0.5)]
    assert simple_trainer(model, [], optimizers=optimizers).optimizers[0] is optimizers[0]
