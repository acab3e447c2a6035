import logging
import time

import numpy as np
import pytest

from fastreid.engine import hooks
from fastreid.engine.hooks.starvation import StarvationWatch
from fastreid.evaluation import DatasetEvaluator, run_on_dataset
from fastreid.utils.events import EventStorage
from fastreid.utils.machine import RunDelay, starvation
from fastreid.utils.machine.starvation import is_starved


@pytest.mark.parametrize(
    ("ran", "waited", "starved"),
    [
        # Beside one busy program for each core.
        (30.0, 30.0, False),
        (10.0, 45.0, False),
        # Waiting by yielding beside busy programs, as measured.
        (1.3, 57.0, True),
        # Two runs of the demo beside each other, and others of low priority.
        (8.4, 49.0, True),
        # Mostly idle: little to wait for.
        (0.1, 14.0, False),
        (0.0, 0.0, False),
    ],
)
def test_who_waits_five_times_as_long_as_it_runs_is_starved(ran, waited, starved):
    assert is_starved(RunDelay(ran, waited), 30.0) is starved


class Machine:
    """A clock and the time of threads, which a test moves."""

    def __init__(self, monkeypatch):
        self.now, self.delay = 100.0, RunDelay(5.0, 5.0)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(starvation, "read_run_delay", lambda: self.delay)
        monkeypatch.setattr(starvation, "shorten_time_slices", self.shorten)
        monkeypatch.setattr(starvation, "has_short_time_slices", lambda: self.has)
        self.has, self.grants, self.asked = False, True, 0

    def shorten(self):
        self.asked += 1
        return self.grants

    def step(self, watch, seconds, ran, waited):
        self.now += seconds
        self.delay = RunDelay(self.delay.ran + ran, self.delay.waited + waited)
        watch.after_step()


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@pytest.mark.parametrize("grants", [True, False])
def test_it_warns_once_asks_for_short_slices_and_names_the_ways_out(monkeypatch, caplog, grants):
    machine, watch = Machine(monkeypatch), StarvationWatch(seconds=30)
    machine.grants = grants
    watch.before_train()
    for _ in range(6):
        machine.step(watch, seconds=20, ran=0.5, waited=39.0)
    (warning,) = warnings(caplog)
    assert "In the last 40 s" in warning
    assert "ran for 1.0 s and waited for a core for 78 s" in warning
    assert machine.asked == 1
    assert ("asks for short time slices" in warning) is grants
    for way_out in ("renice", "taskset", "DISPATCH_THREADS 2"):
        assert way_out in warning


def test_who_has_short_slices_does_not_ask_again(monkeypatch, caplog):
    machine, watch = Machine(monkeypatch), StarvationWatch(seconds=30)
    machine.has = True
    watch.before_train()
    machine.step(watch, seconds=40, ran=0.5, waited=39.0)
    (warning,) = warnings(caplog)
    assert "asks for short time slices" not in warning
    assert "renice" in warning
    assert machine.asked == 0


def test_a_fair_share_and_a_short_wait_are_no_reason(monkeypatch, caplog):
    machine, watch = Machine(monkeypatch), StarvationWatch(seconds=30)
    watch.before_train()
    machine.step(watch, seconds=20, ran=0.5, waited=19.0)
    machine.step(watch, seconds=20, ran=20, waited=20)
    machine.step(watch, seconds=40, ran=40, waited=40)
    assert not warnings(caplog)
    assert machine.asked == 0


def test_where_the_kernel_does_not_tell_nothing_happens(monkeypatch, caplog):
    machine, watch = Machine(monkeypatch), StarvationWatch(seconds=1)
    monkeypatch.setattr(starvation, "read_run_delay", lambda: None)
    watch.before_train()
    machine.step(watch, seconds=20, ran=0, waited=20)
    assert not warnings(caplog)


class Batches:
    """A data set of some batches of one image, each of which takes a time."""

    def __init__(self, machine, count):
        self.machine, self.dataset, self.batch_size = machine, range(count), 1

    def __iter__(self):
        for _ in self.dataset:
            self.machine.now += 20
            delay = self.machine.delay
            self.machine.delay = RunDelay(delay.ran + 0.5, delay.waited + 39)
            yield {"images": np.zeros((1, 3, 2, 1), np.float32)}


class NoScores(DatasetEvaluator):
    def reset(self):
        """Nothing is kept."""

    def process(self, inputs, outputs):
        """Nothing is kept."""

    def evaluate(self):
        return {}


def test_evaluations_are_watched_too(monkeypatch, caplog):
    machine = Machine(monkeypatch)
    batches = Batches(machine, 6)
    assert run_on_dataset(lambda images: images[:, 0, 0], batches, NoScores()) == {}
    (warning,) = warnings(caplog)
    assert "ran for 1.0 s and waited for a core for 78 s" in warning
    assert machine.asked == 1


def test_the_hook_of_a_training_covers_its_evaluations(monkeypatch, caplog):
    machine = Machine(monkeypatch)
    with EventStorage():
        run_on_dataset(lambda images: images[:, 0, 0], Batches(machine, 6), NoScores())
    assert not warnings(caplog)


def test_runs_are_watched():
    assert hooks.StarvationWatch is StarvationWatch
