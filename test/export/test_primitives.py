"""The translation of each primitive to ONNX computes what MindSpore computes."""

import functools
import tempfile
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
import pytest
from mindspore import Tensor, nn, ops

from fastreid.export.check import run_onnx
from fastreid.export.mindir import read_mindir
from fastreid.export.operators import OPERATORS
from fastreid.export.translate import mindir_to_onnx

from .primitive_cases import CHANNELS, GROUPS, HEIGHT, WIDTH

# Primitives that MindSpore replaces in these graphs; their translations are those of others.
OTHER_NAMES = {"SplitTensor", "SplitWithSize", "StopGradient"}
CASES = [(group, name) for group, cases in GROUPS.items() for name in cases]


class Call(nn.Cell):
    """A function of x and of constants."""

    def __init__(self, function, *arguments):
        super().__init__()
        self.function = function
        self.arguments = arguments

    def construct(self, x):
        return self.function(x, *self.arguments)


class Together(nn.Cell):
    """The results of several cells, one after the other in each row."""

    def __init__(self, cells):
        super().__init__()
        self.calls = nn.CellList(cells)

    def construct(self, x):
        rows = ()
        for call in self.calls:
            rows += (call(x).reshape(x.shape[0], -1),)
        return ops.cat(rows, 1)


@functools.cache
def exported(group):
    """The ONNX model of a group, and the primitives that MindSpore wrote."""
    cells = [Call(*case).set_train(False) for case in GROUPS[group].values()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "group.mindir"
        sample = Tensor(shape=[None, CHANNELS, HEIGHT, WIDTH], dtype=ms.float32)
        ms.export(Together(cells), sample, file_name=str(path), file_format="MINDIR")
        model = mindir_to_onnx(path)
        used = {node.operator for node in read_mindir(path).nodes}
    onnx.checker.check_model(model, full_check=True)
    return model, used


def images(number):
    shape = (number, CHANNELS, HEIGHT, WIDTH)
    return np.random.RandomState(number).randn(*shape).astype(np.float32)


@functools.cache
def computed(group, number):
    """What MindSpore and the file compute for each case of a group, by name."""
    x = images(number)
    found = run_onnx(exported(group)[0], x)
    results, start = {}, 0
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        for name, case in GROUPS[group].items():
            expected = Call(*case).set_train(False)(Tensor(x)).asnumpy().reshape(number, -1)
            results[name] = expected, found[:, start : start + expected.shape[1]]
            start += expected.shape[1]
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
    assert start == found.shape[1]
    return results


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(("group", "name"), CASES)
def test_the_file_computes_what_mindspore_computes(group, name, number):
    expected, found = computed(group, number)[name]
    # MindSpore's exponentials have a relative error of 1e-5.
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


def test_every_translation_is_tested():
    used = set().union(*(exported(group)[1] for group in GROUPS))
    tested = {OPERATORS[name] for name in used & set(OPERATORS)}
    assert [name for name, translation in OPERATORS.items() if translation not in tested] == []
    for name in set(OPERATORS) - used:
        assert name in OTHER_NAMES
