import logging

import pytest

from fastreid.engine import HookBase, TrainerBase, hooks
from fastreid.engine.launch.termination import Termination
from fastreid.utils.checkpoint import PeriodicCheckpointer


class Idle(TrainerBase):
    """Counts; puts a loss at every iteration."""

    def __init__(self, fail_at=None):
        super().__init__()
        self.fail_at = fail_at

    def run_step(self):
        if self.iter == self.fail_at:
            raise RuntimeError("stop here")
        self.storage.put_scalar("loss", self.iter)


class Notes:
    """Stand-in for a writer, an evaluation and a checkpointer that records its calls."""

    def __init__(self, metrics=()):
        self.log = []
        self.metrics = list(metrics)
        self.metric = None

    def write(self):
        self.log.append("write")

    def close(self):
        self.log.append("close")

    def evaluate(self):
        self.metric = self.metrics.pop(0)
        self.log.append("evaluate")
        return {"Market1501": {"mAP": self.metric, "name": "not a number"}}

    def save(self, name, **extra):
        self.log.append(f"{name}:{extra['iteration']}")


def run(hooks_, *, max_iter=6, iters_per_epoch=2, start_iter=0, trainer=None):
    trainer = trainer or Idle()
    trainer.register_hooks(hooks_)
    trainer.train(start_iter, max_iter, iters_per_epoch)
    return trainer


def checkpoints(notes, trainer, period=0, best=None, **options):
    return hooks.CheckpointHook(
        PeriodicCheckpointer(notes, period, best_metric=best),
        metric=lambda: notes.metric,
        extra=lambda: {"iteration": trainer.iter},
        **options,
    )


def test_the_first_iteration_which_compiles_is_not_timed():
    trainer = run([hooks.IterationTimer()], start_iter=3)
    assert [i for _, i in trainer.storage.history("time").values()] == [4, 5]


def test_iterations_at_the_start_of_a_run_are_left_out_of_the_times():
    trainer = run([hooks.IterationTimer(warmup_iter=2)], start_iter=1, max_iter=5)
    assert [i for _, i in trainer.storage.history("time").values()] == [3, 4]


def test_functions_are_called_with_the_trainer_at_the_points_they_are_given_for():
    points = ("before_train", "before_epoch", "before_step", "after_step", "after_epoch")
    log = []
    callbacks = {
        point: lambda trainer, point=point: log.append(f"{point}{trainer.iter}")
        for point in (*points, "after_train")
    }
    run([hooks.CallbackHook(**callbacks)], max_iter=2, iters_per_epoch=2)
    assert log == [
        "before_train0",
        "before_epoch0",
        "before_step0",
        "after_step0",
        "before_step1",
        "after_step1",
        "after_epoch2",
        "after_train2",
    ]
    after_steps = []
    run([hooks.CallbackHook(after_step=lambda trainer: after_steps.append(trainer.iter))])
    assert after_steps == [0, 1, 2, 3, 4, 5]


class Rates:
    base_lrs = (0.1, 0.2)

    def __init__(self):
        self.set = []

    def set_learning_rates(self, rates):
        self.set.append(tuple(rates))


class Doubling:
    def rate(self, iteration, base_lr):
        return base_lr * 2**iteration


def test_every_group_gets_its_rate_before_each_iteration_and_the_first_is_logged():
    basic, meta = Rates(), Rates()
    trainer = run([hooks.LRScheduler([basic, meta], Doubling())], start_iter=1, max_iter=3)
    assert basic.set == meta.set == [(0.2, 0.4), (0.4, 0.8)]
    assert trainer.storage.history("lr").values() == [(0.2, 1), (0.4, 2)]


def test_a_single_optimizer_may_be_given_as_it_is():
    rates = Rates()
    run([hooks.LRScheduler(rates, Doubling())], max_iter=2)
    assert rates.set == [(0.1, 0.2), (0.2, 0.4)]


@pytest.mark.parametrize(("period", "count"), [(0, 1), (1, 3), (2, 2), (5, 1)])
def test_evaluation_comes_every_period_and_once_at_the_end(period, count):
    notes = Notes([1.0] * 9)
    trainer = run([hooks.EvalHook(period, notes.evaluate)])
    assert notes.log == ["evaluate"] * count
    assert trainer.storage.latest()["Market1501/mAP"] == (1.0, 5)
    assert "Market1501/name" not in trainer.storage.latest()


def test_a_run_that_stops_in_an_epoch_is_evaluated_and_saved():
    notes, trainer = Notes([0.5]), Idle()
    run(
        [hooks.EvalHook(0, notes.evaluate), checkpoints(notes, trainer)],
        trainer=trainer,
        max_iter=3,
    )
    assert notes.log == ["model_iter_0000002:2", "evaluate", "model_best:3", "model_final:3"]


def test_checkpoints_follow_evaluations():
    notes, trainer = Notes([0.5, 0.4, 0.6]), Idle()
    run(
        [hooks.EvalHook(1, notes.evaluate), checkpoints(notes, trainer, period=1, best=0.45)],
        trainer=trainer,
    )
    assert [entry for entry in notes.log if entry != "evaluate"] == [
        "model_best:2",
        "model_0000:2",
        "model_0001:4",
        "model_best:6",
        "model_final:6",
    ]


def test_fast_reids_checkpointer_hook_saves_like_ours_and_keeps_the_best_of_a_resumed_run():
    notes, trainer = Notes([0.5, 0.4, 0.6]), Idle()
    trainer.best_metric = 0.45

    def evaluate():
        return {"Market1501": {"metric": notes.metrics.pop(0), "mAP": 99.0}}

    run([hooks.EvalHook(1, evaluate), hooks.PeriodicCheckpointer(notes, 1, 3)], trainer=trainer)
    assert notes.log == [
        "model_best:2",
        "model_0000:2",
        "model_0001:4",
        "model_best:6",
        "model_final:6",
    ]
    assert trainer.best_metric == 0.6


def test_the_trainers_request_to_end_reaches_hooks_that_were_given_none():
    trainer, notes = Idle(), Notes()
    saving = hooks.PeriodicCheckpointer(notes, 0)
    with pytest.raises(SystemExit):
        run([saving, AskToEnd(trainer.termination, 1)], trainer=trainer)
    assert notes.log == rolling(2)


def test_a_failed_evaluation_costs_no_checkpoint():
    notes, trainer = Notes(), Idle()
    with pytest.raises(IndexError):
        run(
            [hooks.EvalHook(0, notes.evaluate), checkpoints(notes, trainer)],
            trainer=trainer,
        )
    assert notes.log == ["model_iter_0000002:2", "model_iter_0000004:4", "model_final:6"]


def test_a_failed_evaluation_after_the_last_epoch_costs_no_checkpoint_either():
    notes, trainer = Notes(), Idle()
    with pytest.raises(IndexError):
        run([hooks.EvalHook(3, notes.evaluate), checkpoints(notes, trainer)], trainer=trainer)
    assert notes.log[-1] == "model_final:6"
    assert trainer.finished


def test_a_run_that_fails_is_neither_evaluated_nor_saved():
    notes, trainer = Notes([1.0]), Idle(fail_at=3)
    with pytest.raises(RuntimeError, match="stop here"):
        run(
            [hooks.EvalHook(0, notes.evaluate), checkpoints(notes, trainer)],
            trainer=trainer,
        )
    assert notes.log == ["model_iter_0000002:2"]


def rolling(*iterations):
    return [f"model_iter_{iteration:07d}:{iteration}" for iteration in iterations]


def test_checkpoints_between_epochs_come_once_and_not_at_the_start():
    notes, trainer = Notes(), Idle()
    hook = checkpoints(notes, trainer, period_iters=3)
    run([hook], trainer=trainer, start_iter=3, max_iter=16, iters_per_epoch=6)
    assert notes.log == [*rolling(6, 9, 12, 15), "model_final:16"]


def test_nothing_is_saved_between_epochs_before_its_last_step_was_checked():
    class Unsound(Idle):
        def finish(self):
            if self.iter == 4:
                raise FloatingPointError

    notes, trainer = Notes(), Unsound()
    hook = checkpoints(notes, trainer, period_iters=2)
    with pytest.raises(FloatingPointError):
        run([hook], trainer=trainer, iters_per_epoch=10, max_iter=9)
    assert notes.log == rolling(2)


class AskToEnd(HookBase):
    """Stands for SIGTERM before an iteration."""

    def __init__(self, termination, at):
        self._termination, self._at = termination, at

    def before_step(self):
        if self.trainer.iter == self._at:
            self._termination.requested = True


@pytest.mark.parametrize(("at", "log"), [(3, rolling(2, 4)), (1, rolling(2)), (0, rolling(1))])
def test_a_request_to_end_saves_and_ends_the_run_before_the_next_iteration(at, log):
    notes, trainer, termination = Notes(), Idle(), Termination()
    hook = checkpoints(notes, trainer, termination=termination)
    with pytest.raises(SystemExit) as ended:
        run([hook, AskToEnd(termination, at)], trainer=trainer)
    assert ended.value.code == 143
    assert notes.log == log
    assert not trainer.finished


def test_an_interrupted_evaluation_is_repeated_by_the_resumed_run():
    termination = Termination()
    notes = Notes([0.5, 0.4])

    def broken_off():
        termination.requested = True
        termination.obey()

    trainer = Idle()
    evaluation = hooks.EvalHook(2, broken_off, termination=termination)
    with pytest.raises(SystemExit):
        run([evaluation, checkpoints(notes, trainer)], trainer=trainer)
    assert notes.log == rolling(2, 4)
    assert (trainer.iter, trainer.evaluation_due) == (4, True)
    resumed = Idle()
    resumed.evaluation_due = True
    hooks_ = [hooks.EvalHook(2, notes.evaluate), checkpoints(notes, resumed)]
    run(hooks_, trainer=resumed, start_iter=4, max_iter=5)
    assert notes.log[2:5] == ["evaluate", "model_best:4", *rolling(4)]
    assert not resumed.evaluation_due


def test_writers_write_every_period_at_epoch_ends_and_are_closed_after_an_error_too():
    notes = Notes()
    run([hooks.PeriodicWriter([notes], period=3)])
    # Iterations 0, 2 and 5, three epochs, the end.
    assert notes.log == ["write"] * 7 + ["close"]
    failed = Notes()
    with pytest.raises(RuntimeError):
        run([hooks.PeriodicWriter([failed], period=3)], trainer=Idle(fail_at=1))
    assert failed.log == ["write", "write", "close"]


def test_curves_are_drawn_after_a_finished_run_only(tmp_path):
    (tmp_path / "metrics.json").write_text(
        "".join(f'{{"iteration": {i}, "total_loss": {9 - i}}}\n' for i in range(3))
    )
    with pytest.raises(RuntimeError):
        run([hooks.TrainingCurves(tmp_path)], trainer=Idle(fail_at=1))
    assert not (tmp_path / "training_curves.png").exists()
    run([hooks.TrainingCurves(tmp_path)])
    assert (tmp_path / "training_curves.png").stat().st_size > 1000


def test_the_whole_time_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="fastreid"):
        run([hooks.IterationTimer()], start_iter=2)
    assert "4 iterations in 0.0 s" in caplog.text


@pytest.mark.parametrize("max_iter", [3, 4])
def test_statistics_are_made_precise_once_before_the_last_evaluation(monkeypatch, max_iter):
    notes = Notes([10.0, 20.0])
    model = type("Model", (), {})()
    monkeypatch.setattr(hooks.precise_bn, "get_bn_modules", lambda _: [model])
    monkeypatch.setattr(
        hooks.precise_bn, "update_bn_stats", lambda *given: notes.log.append(given[1:])
    )
    run(
        [hooks.PreciseBN(model, "loader", 7), hooks.EvalHook(1, notes.evaluate)],
        max_iter=max_iter,
        iters_per_epoch=2,
    )
    assert notes.log == ["evaluate", ("loader", 7), "evaluate"]


def test_precise_statistics_need_batches():
    with pytest.raises(ValueError, match=r"TEST\.PRECISE_BN\.NUM_ITER is 0"):
        hooks.PreciseBN(None, [], 0)
