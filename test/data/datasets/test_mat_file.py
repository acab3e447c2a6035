"""MATLAB 5 files are checked before SciPy reads them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import io

from fastreid.data.datasets.preparation.mat_file import read_mat

ROOT = Path(__file__).parents[3]
# Reads damaged copies of a file; a crash of the reader ends this process, not that of the tests.
READ_DAMAGED = """
import random, sys
from pathlib import Path
from fastreid.data.datasets.preparation.mat_file import read_mat

path, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
whole, refused = path.read_bytes(), 0
copy = path.with_suffix(".damaged.mat")
for seed in range(first, last):
    draw, content = random.Random(seed), bytearray(whole)
    for _ in range(draw.choice((1, 2, 5))):
        content[draw.randrange(120, len(content))] ^= 1 << draw.randrange(8)
    size = draw.choice((len(content), draw.randrange(len(content))))
    copy.write_bytes(bytes(content[:size]))
    try:
        read_mat(copy, ["cells"])
    except ValueError:
        refused += 1
print("refused", refused)
"""


def write(path, *, is_packed=False):
    cells = np.empty((1, 4), object)
    for number in range(4):
        cells[0, number] = {"name": "text", "list": np.arange(number + 2, dtype=np.uint16)}
    content = {"other": np.eye(3), "cells": cells, "complex": np.array([1 + 2j]), "word": "abc"}
    io.savemat(path, content, do_compression=is_packed)
    return path


@pytest.mark.parametrize("is_packed", [False, True])
def test_variables_are_those_that_scipy_reads(is_packed, tmp_path):
    path = write(tmp_path / "a.mat", is_packed=is_packed)
    expected = io.loadmat(path)
    found = read_mat(path, ["cells", "complex", "word", "absent"])
    assert {name for name in found if name[0] != "_"} == {"cells", "complex", "word"}
    assert found["complex"] == expected["complex"] and found["word"] == expected["word"]
    for one, other in zip(found["cells"][0], expected["cells"][0]):
        assert one["name"] == other["name"]
        np.testing.assert_array_equal(one["list"][0, 0], other["list"][0, 0])


@pytest.mark.parametrize("is_packed", [False, True])
def test_damaged_files_never_end_the_process(is_packed, tmp_path):
    path = write(tmp_path / "a.mat", is_packed=is_packed)
    command = [sys.executable, "-c", READ_DAMAGED, str(path), "0", "1500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 500


@pytest.mark.parametrize("content", [b"", b"MATLAB", b"MATLAB 7.3 MAT-file".ljust(126) + b"IM"])
def test_files_of_another_version_are_refused(content, tmp_path):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match="does not start with the header 'MATLAB 5.0 MAT-file'"):
        read_mat(tmp_path / "a.mat", ["cells"])
