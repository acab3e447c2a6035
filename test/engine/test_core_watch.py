import logging

import numpy as np
import pytest

from fastreid.engine import hooks
from fastreid.engine.hooks import core_watch
from fastreid.evaluation import DatasetEvaluator, evaluator, run_on_dataset
from fastreid.utils.events import EventStorage
from fastreid.utils.machine.core_sharing import Message


class Sharing:
    """Says something on its second look."""

    made: list = []

    def __init__(self, seconds=None, *, adapts=False):
        self.made.append((seconds, adapts))
        self.looks = 0

    def look(self):
        self.looks += 1
        return Message(f"look {self.looks}", logging.WARNING) if self.looks == 2 else None


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(Sharing, "made", [])
    monkeypatch.setattr(core_watch, "CoreSharing", Sharing)
    monkeypatch.setattr(evaluator, "CoreSharing", Sharing)
    return Sharing.made


@pytest.mark.parametrize("adapts", [True, False])
def test_each_step_of_a_training_looks(made, caplog, adapts):
    watch = hooks.CoreWatch(seconds=7, adapts=adapts)
    assert not made
    watch.before_train()
    for _ in range(3):
        watch.after_step()
    assert made == [(7, adapts)]
    assert [record.getMessage() for record in caplog.records] == ["look 2"]


class NoScores(DatasetEvaluator):
    def reset(self):
        """Nothing is kept."""

    def process(self, inputs, outputs):
        """Nothing is kept."""

    def evaluate(self):
        return {}


class Batches:
    """Three batches of one image."""

    dataset, batch_size = range(3), 1

    def __iter__(self):
        return iter([{"images": np.zeros((1, 3, 2, 1), np.float32)}] * 3)


def evaluate():
    return run_on_dataset(lambda images: images[:, 0, 0], Batches(), NoScores())


def test_each_batch_of_an_evaluation_alone_looks(made, caplog):
    assert evaluate() == {}
    assert made == [(None, False)]
    assert "look 2" in caplog.text


def test_the_hook_of_a_training_covers_its_evaluations(made):
    with EventStorage():
        evaluate()
    assert not made
