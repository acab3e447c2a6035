import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor

from fastreid.engine.steps.updates import InnerUpdate, Update
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from test.engine.toy import ToyModel, changed, randomize, values

RATE, DECAY = 0.1, 0.01


@pytest.fixture
def model():
    return randomize(ToyModel())


def sgd(parameters):
    return SGD([ParamGroup(tuple(parameters), RATE, DECAY)])


def assert_values(model, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(values(model)[name], value, rtol=1e-5, atol=1e-6)


def test_the_inner_update_moves_each_parameter_by_its_factor(mode, model):
    parameters = [model.heads.weight, model.backbone.weight]
    gradients = tuple(Tensor(np.ones(p.shape, np.float32)) for p in parameters)
    before = values(model)
    update, rate = InnerUpdate(parameters, [0.5, 0.0]), Tensor(0.2, ms.float32)
    update(rate, Tensor(False), gradients)
    assert changed(model, before) == set()
    update(rate, Tensor(True), gradients)
    assert changed(model, before) == {"heads.weight"}
    assert_values(model, {"heads.weight": before["heads.weight"] - 0.1})


def test_a_summed_update_applies_the_clipped_sum(mode, model):
    parameters = [model.heads.weight, model.backbone.weight]
    first = tuple(Tensor(np.full(p.shape, 3.0, np.float32)) for p in parameters)
    second = tuple(Tensor(np.full(p.shape, -1.0, np.float32)) for p in parameters)
    before, losses = values(model), (Tensor([1.0]), Tensor([2.0]))
    update = Update([sgd(parameters)], GradientClipper("value", 1.5))
    for flags in ((True, False), (False, True)):
        assert not bool(update(losses, tuple(map(Tensor, flags)), (first, second)).asnumpy())
        assert changed(model, before) == set()
    assert bool(update(losses, (Tensor(True), Tensor(True)), (first, second)).asnumpy())
    assert_values(model, {name: v - RATE * (1.5 + DECAY * v) for name, v in before.items()})


def test_hundreds_of_parameters_can_be_compiled():
    ms.set_context(mode=ms.GRAPH_MODE)
    clipper = GradientClipper("norm", 5.0)
    parameters = [Parameter(Tensor(np.ones(2, np.float32)), name=f"weight{i}") for i in range(600)]
    ones = tuple(Tensor(np.ones(2, np.float32)) for _ in parameters)
    yes, loss = Tensor(True), Tensor([1.0])
    InnerUpdate(parameters, [1.0] * 600)(Tensor(0.5, ms.float32), yes, ms.mutable(ones))
    optimizer = SGD([ParamGroup(tuple(parameters), RATE, 0.0)], momentum=0.9)
    Update([optimizer], clipper)((loss, loss), (yes, yes), ms.mutable((ones, ones)))
    for parameter in (parameters[0], parameters[-1]):
        np.testing.assert_allclose(parameter.asnumpy(), 1 - 0.5 - RATE * 2, rtol=1e-6)
