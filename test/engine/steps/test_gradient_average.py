import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from fastreid.engine.steps import gradient_average
from fastreid.engine.steps.gradient_average import OneProcess, ProcessAverage, build_average, pack

SHAPES = ((3,), (2, 5), (40,), (1,), (4, 2, 3, 3))


class SumOfTwo(nn.Cell):
    """What an all-reduce gives where the other process has the same numbers plus two."""

    def construct(self, x):
        return x + (x + 2)


@pytest.mark.parametrize(
    ("sizes", "limit", "bounds"),
    [
        ([7], 10, [(0, 1)]),
        ([7, 3, 1], 10, [(0, 2), (2, 3)]),
        ([7, 99, 3, 3, 5], 10, [(0, 1), (1, 2), (2, 4), (4, 5)]),
        ([1, 1, 1], 100, [(0, 3)]),
    ],
)
def test_messages_are_filled_in_order_and_large_tensors_travel_alone(sizes, limit, bounds):
    assert pack(sizes, limit) == bounds


@pytest.mark.parametrize("limit", [4, 20, 10**6])
def test_every_number_comes_back_to_its_place(mode, monkeypatch, limit):
    monkeypatch.setattr(gradient_average, "NUMBERS_PER_MESSAGE", limit)
    rng = np.random.RandomState(0)
    values = [rng.randn(*shape).astype(np.float32) for shape in SHAPES]
    parameters = [Parameter(Tensor(v), name=f"p{i}") for i, v in enumerate(values)]
    average = ProcessAverage(parameters, 2, 2)
    average.all_reduce = SumOfTwo()
    total, losses, accuracy = Tensor(5.0), Tensor([1.0, 4.0]), Tensor(0.5)
    gradients = ms.mutable(tuple(Tensor(v) for v in values))
    total, losses, accuracy, gradients = average(total, losses, accuracy, gradients)
    assert (float(total), losses.asnumpy().tolist(), float(accuracy)) == (6.0, [2.0, 5.0], 1.5)
    for value, gradient in zip(values, gradients):
        np.testing.assert_allclose(gradient.asnumpy(), value + 1, rtol=1e-6, atol=1e-6)


def test_one_process_sends_nothing():
    assert type(build_average([], 1)) is OneProcess
