import numpy as np
import pytest

from fastreid.engine import hooks
from fastreid.engine.hooks import core_watch
from fastreid.evaluation import DatasetEvaluator, evaluator, run_on_dataset
from fastreid.utils.events import EventStorage


class Sharing:
    """Says something on its second look."""

    made: list = []

    def __init__(self, seconds=None, **options):
        self.made.append((seconds, options))
        self.looks = 0

    def report(self, log):
        self.looks += 1
        if self.looks == 2:
            log.warning("look %d", self.looks)


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(Sharing, "made", [])
    monkeypatch.setattr(core_watch, "CoreSharing", Sharing)
    monkeypatch.setattr(evaluator, "CoreSharing", Sharing)
    return Sharing.made


@pytest.mark.parametrize("options", [{"adapts": True, "undoes": False}, {"adapts": False}])
def test_each_step_of_a_training_looks(made, caplog, options):
    watch = hooks.CoreWatch(seconds=7, **options)
    assert not made
    watch.before_train()
    for _ in range(3):
        watch.after_step()
    assert made == [(7, {"undoes": False, **options})]
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


@pytest.mark.parametrize("ranks", [1, 2])
def test_each_batch_of_an_evaluation_alone_looks(made, caplog, monkeypatch, ranks):
    monkeypatch.setattr(evaluator, "get_local_size", lambda: ranks)
    assert evaluate() == {}
    assert made == [(None, {"undoes": ranks == 1})]
    assert "look 2" in caplog.text


def test_the_hook_of_a_training_covers_its_evaluations(made):
    with EventStorage():
        evaluate()
    assert not made
