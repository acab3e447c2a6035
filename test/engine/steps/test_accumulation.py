"""Steps on parts of a batch against steps on the whole batch."""

import numpy as np
import pytest

from fastreid.engine.steps.accumulation import AccumulatedStep
from fastreid.engine.steps.train_step import LossForward, TrainStep
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from test.engine.toy import PowerLosses, ToyModel, batch_of, changed, randomize, tensors, values


def step_of(model, parts):
    optimizer = SGD([ParamGroup(tuple(model.trainable_params()), 0.1, 0.01)], momentum=0.9)
    given = (LossForward(model, PowerLosses()), [optimizer], GradientClipper("norm", 0.5))
    step = TrainStep(*given) if parts == 1 else AccumulatedStep(*given, parts=parts)
    return step.set_train()


@pytest.mark.parametrize("parts", [2, 3])
def test_steps_are_those_of_the_whole_batch(mode, parts):
    whole, in_parts = randomize(ToyModel()), randomize(ToyModel())
    one, several = step_of(whole, 1), step_of(in_parts, parts)
    for seed in range(3):
        batch = batch_of(seed, rows=12)
        want, got = one(*tensors(batch)), several(*tensors(batch))
        for theirs, mine in zip(want, got):
            np.testing.assert_allclose(mine.asnumpy(), theirs.asnumpy(), rtol=2e-6)
    for name, value in values(whole).items():
        np.testing.assert_allclose(values(in_parts)[name], value, rtol=1e-5, atol=1e-7)


def test_one_part_that_is_not_finite_prevents_the_update():
    model = randomize(ToyModel())
    before = values(model)
    *_, is_finite = step_of(model, 2)(*tensors(batch_of(0, rows=8, broken=True)))
    assert not is_finite.asnumpy()
    assert changed(model, before) == set()
