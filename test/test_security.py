"""What SECURITY.md promises is shown by tests."""

import ast
import os
import re
from pathlib import Path

import numpy as np
import pytest

from fastreid.evaluation import load_features

ROOT = Path(__file__).parents[1]
TEST = re.compile(r"`(test/[\w/]+\.py)::(\w+)`")


def promises():
    """Rows of the table, each a list of cells."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("row", promises(), ids=lambda row: row[1].strip()[:40])
def test_every_promise_names_tests_that_exist(row):
    named = TEST.findall(row[2])
    assert named
    for file, function in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


class Runs:
    """Unpickling this would run a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_feature_file_with_a_pickle_is_refused_and_runs_nothing(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "features.npz"
    np.savez(path, features=np.array([Runs(f"touch {trace}")], dtype=object))
    with pytest.raises(ValueError, match=r"features\.npz"):
        load_features(path)
    assert not trace.exists()
