"""Memory given back early."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.engine.steps.device_memory import release


class _Twice(nn.Cell):
    def construct(self, tensors):
        return tensors[0] * 2, tensors[1] * 2


class _Sum(nn.Cell):
    def construct(self, tensors):
        return tensors[0].sum() + tensors[1].sum()


def test_released_tensors_are_empty_and_graphs_that_had_them_run_again():
    twice, total = _Twice(), _Sum()
    for start in (1.0, 2.0, 3.0):
        made = twice(ms.mutable((ops.full((8, 4), start), ops.full((3,), start))))
        result = total(ms.mutable(made))
        release(made)
        assert [tensor.untyped_storage().size() for tensor in made] == [0, 0]
        assert result.asnumpy() == 2 * start * (8 * 4 + 3)


def test_devices_that_may_still_be_computing_keep_their_tensors(monkeypatch):
    tensor = Tensor(np.ones(3, np.float32))
    monkeypatch.setattr(ms, "get_context", {"device_target": "GPU"}.get)
    release([tensor])
    np.testing.assert_array_equal(tensor.asnumpy(), np.ones(3))
