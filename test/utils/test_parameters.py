import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, ops

from fastreid.utils.parameters import restored


@pytest.fixture
def parameters():
    return [Parameter(Tensor(np.arange(3, dtype=np.float32)), name=name) for name in "ab"]


def overwrite(parameters):
    for parameter in parameters:
        ops.assign(parameter, Tensor(np.full(3, 7, np.float32)))


def test_values_are_restored_after_the_block(mode, parameters):
    with restored(parameters):
        overwrite(parameters)
        assert parameters[0].asnumpy().tolist() == [7, 7, 7]
    assert [p.asnumpy().tolist() for p in parameters] == [[0, 1, 2]] * 2


def test_values_are_restored_after_an_error(parameters):
    with pytest.raises(KeyError), restored(parameters):
        overwrite(parameters)
        raise KeyError
    assert parameters[1].asnumpy().tolist() == [0, 1, 2]


def test_a_compiled_graph_uses_the_restored_values(mode, parameters):
    class Sum(ms.nn.Cell):
        def __init__(self):
            super().__init__(auto_prefix=False)
            self.a, self.b = parameters

        def construct(self, x):
            return (self.a + self.b + x).sum()

    total, zero = Sum(), Tensor(0.0, ms.float32)
    assert float(total(zero).asnumpy()) == 6
    with restored(parameters):
        overwrite(parameters)
        assert float(total(zero).asnumpy()) == 42
    assert float(total(zero).asnumpy()) == 6
