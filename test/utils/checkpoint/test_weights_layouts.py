import re
from pathlib import Path

import numpy as np
import pytest

from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights_file import read_torch_weights
from test.utils.checkpoint.weights_layouts import LOADED, REFUSED, Net

PAGE = Path(__file__).parents[3] / "docs" / "weights.md"


@pytest.fixture(scope="module")
def weights():
    rng = np.random.RandomState(0)
    state = export_weights(Net())
    return {name: rng.rand(*value.shape).astype(np.float32) for name, value in state.items()}


def assert_equal(got, want):
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value)


@pytest.mark.parametrize("layout", LOADED, ids=lambda layout: layout.name)
def test_a_layout_is_loaded_into_a_model(tmp_path, weights, layout):
    source = layout.write(tmp_path, weights)
    model = Net()
    Checkpointer(model).load(source, weights_only=True)
    assert_equal(export_weights(model), weights)


@pytest.mark.parametrize("layout", LOADED, ids=lambda layout: layout.name)
def test_a_layout_is_read_without_a_model(tmp_path, weights, layout):
    source = layout.write(tmp_path, weights)
    got = read_torch_weights(source)
    if layout.outcome == "loads":
        got = {name: value for name, value in got.items() if "." in name}
    if layout.name.startswith("PyTorch Lightning"):
        got = {n[len("model.") :]: v for n, v in got.items() if n.startswith("model.")}
    if layout.outcome == "loads":
        assert_equal(got, weights)
    else:
        assert not set(weights) & set(got)


@pytest.mark.parametrize("layout", REFUSED, ids=lambda layout: layout.name)
def test_a_layout_is_refused_and_the_model_stays(tmp_path, weights, layout):
    source = layout.write(tmp_path, weights)
    model = Net()
    before = export_weights(model)
    with pytest.raises(ValueError, match=re.escape(str(source))) as caught:
        Checkpointer(model).load(source, weights_only=True)
    assert layout.outcome in str(caught.value)
    assert_equal(export_weights(model), before)


def test_the_documentation_has_the_same_table():
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    page = dict(rows)
    assert len(LOADED) >= 20
    for layout in LOADED:
        assert page[layout.name] == layout.outcome
    for layout in REFUSED:
        assert page[layout.name].startswith("refused")


def test_removed_prefixes_are_logged_in_one_line(tmp_path, weights, caplog):
    caplog.set_level("INFO", logger="fastreid.utils.checkpoint.weights_file")
    lightning = next(layout for layout in LOADED if layout.name.startswith("PyTorch Lightning"))
    Checkpointer(Net()).load(lightning.write(tmp_path, weights), weights_only=True)
    lines = [
        r.getMessage() for r in caplog.records if r.name == "fastreid.utils.checkpoint.weights_file"
    ]
    assert len(lines) == 1
    assert lines[0].endswith(
        "epoch=3.ckpt: taken from 'state_dict'; names without 'model.'; other tensors ignored: 1"
    )
