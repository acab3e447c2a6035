"""The cells of docs/migration/graph_mode.md fail, and their cures compute."""

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import Tensor

from .graph_errors import ERRORS, ONES, TWOS, AppendsToMember, CountsInParameter
from .running import in_mode

BROKEN = [error for error in ERRORS if error.error]
REPAIRED = [error for error in ERRORS if not error.error]
CURED = {error.cured: error for error in ERRORS}


def name_of(entry):
    return getattr(entry, "__name__", None) or entry.broken.__name__


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where MindSpore writes its report on a graph that it cannot compile."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("error", BROKEN, ids=name_of)
def test_an_error_of_graph_mode_has_its_message(error):
    with in_mode("graph"), pytest.raises(Exception, match=error.error):
        error.broken()(Tensor(ONES))


@pytest.mark.parametrize("error", REPAIRED, ids=name_of)
def test_an_error_that_no_longer_occurs_gives_a_result(error):
    with in_mode("graph"):
        np.testing.assert_array_equal(error.broken()(Tensor(ONES)).asnumpy(), error.result)


@pytest.mark.parametrize("cell", CURED, ids=name_of)
def test_a_cured_cell_doubles_its_input_in_graph_mode(cell):
    with in_mode("graph"):
        np.testing.assert_allclose(cell()(Tensor(ONES)).asnumpy(), TWOS, rtol=1e-5)


def test_graph_mode_loses_what_is_appended_but_not_a_parameter():
    counts = []
    for cell in (AppendsToMember(), CountsInParameter()):
        with in_mode("graph"):
            cell(Tensor(ONES))
            cell(Tensor(ONES))
        counts.append(cell.count())
    assert counts == [0, 2]


def test_a_tensor_of_mindspore_is_refused_by_pytorch():
    with pytest.raises(TypeError, match=r"argument 'other' .* must be Tensor, not Tensor"):
        torch.ones(2).sub_(ms.Tensor([1.0, 1.0]))
