"""Networks with norms over processes: two processes against one with the whole batch."""

import os
import subprocess
import sys

import numpy as np
import pytest

from test.distributed import case
from test.distributed.families import NETWORKS, ROWS, Passes
from test.distributed.test_two_processes import ROOT, ROUNDING, arrays, assert_as_near_as_rounding

pytestmark = [pytest.mark.slow, pytest.mark.zoo]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the two processes left behind."""
    folder = tmp_path_factory.mktemp("families")
    done = subprocess.run(
        [sys.executable, "-m", "test.distributed.families", str(folder), *NETWORKS],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return folder


@pytest.mark.parametrize("family", NETWORKS)
def test_two_processes_compute_what_one_does_of_the_whole_batch(folder, family):
    first, second = (arrays(folder / f"{family}_{rank}.npz") for rank in (0, 1))
    assert case.bits(first) == case.bits(second)
    passes = Passes(family)
    usual, changed = (passes.run(slice(ROWS), noise) for noise in (0.0, ROUNDING))
    gradients = {name for name in usual if name.startswith("gradient")}
    largest = max(np.linalg.norm(usual[name]) for name in gradients)
    # Gradients of shifts before another norm are nothing but rounding.
    kept = {name for name in usual if np.linalg.norm(usual[name]) > 1e-3 * largest}
    kept |= usual.keys() - gradients
    assert len(kept & gradients) > len(gradients) // 4
    compared = [{name: each[name] for name in kept} for each in (first, usual, changed)]
    assert_as_near_as_rounding(*compared)
