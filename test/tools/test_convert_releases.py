import runpy
from pathlib import Path

import numpy as np
import pytest

from fastreid.utils.checkpoint.weights_file import read_torch_weights, write_weights

TOOL = Path(__file__).parents[2] / "tools" / "convert_weights.py"
LEAVES = ("weight", "bias", "running_mean", "running_var")
BACKBONE = {"backbone.conv1.weight": np.ones((2, 3, 1, 1), np.float32)}


def head(neck, classifier):
    norm = {f"heads.{neck}.{leaf}": np.float32([i, 1]) for i, leaf in enumerate(LEAVES)}
    return {**BACKBONE, **norm, f"heads.{classifier}": np.ones((4, 2), np.float32)}


NAMES = {
    "0.1.1": head("bnneck", "classifier.weight"),
    "1.0": head("bottleneck.0", "classifier.weight"),
    None: head("bottleneck.0", "weight"),
}


@pytest.fixture(scope="module")
def convert():
    return runpy.run_path(str(TOOL))["convert"]


@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
@pytest.mark.parametrize("to", NAMES)
@pytest.mark.parametrize("old", NAMES)
def test_a_file_of_any_release_gets_the_names_of_any(tmp_path, convert, capsys, old, to, suffix):
    source, target = tmp_path / "source.pth", tmp_path / f"target{suffix}"
    write_weights(source, NAMES[old])
    assert convert(source, target, release=to) == len(NAMES[old])
    got = read_torch_weights(target)
    assert got.keys() == NAMES[to].keys()
    for name, value in NAMES[to].items():
        np.testing.assert_array_equal(got[name], value)
    assert ("Names of an older fast-reid" in capsys.readouterr().out) == (old is not None)
