import ast
import inspect
import textwrap

import numpy as np
import pytest

from fastreid.engine import DefaultPredictor, DefaultTrainer, hooks
from fastreid.engine.hooks import core_watch
from fastreid.engine.mindir_model import MindirModel
from fastreid.evaluation import DatasetEvaluator, evaluator, run_on_dataset


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


@pytest.mark.parametrize("moves", [True, False])
def test_each_step_of_a_training_looks(made, caplog, moves):
    watch = hooks.CoreWatch(seconds=7, moves=moves)
    assert not made
    watch.before_train()
    for _ in range(3):
        watch.after_step()
    assert made == [(7, {"moves": moves})]
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


def evaluate(**options):
    return run_on_dataset(lambda images: images[:, 0, 0], Batches(), NoScores(), **options)


def test_each_batch_of_an_evaluation_looks(made):
    own = Sharing()
    assert evaluate(sharing=own) == {}
    assert own.looks == 3


def test_without_an_object_nobody_looks(made):
    evaluate()
    assert not made


def arguments(function, name):
    """The keyword arguments of each call of a name in a function, as text."""
    source = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node for node in ast.walk(source) if isinstance(node, ast.Call)]
    return [
        {word.arg: ast.unparse(word.value) for word in call.keywords}
        for call in calls
        if ast.unparse(call.func) == name
    ]


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (DefaultTrainer.build_hooks, "hooks.CoreWatch"),
        (DefaultTrainer.test, "CoreSharing"),
        (DefaultPredictor.__init__, "CoreSharing"),
        (MindirModel.__init__, "CoreSharing"),
    ],
)
def test_programs_move_their_kernels_where_they_may(function, call):
    assert {"moves": "moves_kernels(cfg)"} in arguments(function, call)
