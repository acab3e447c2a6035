"""Networks with norms over processes: two processes against one with the whole batch."""

import os
import subprocess
import sys

import numpy as np
import pytest

from test.distributed import case
from test.distributed.emulation import Noise
from test.distributed.families import NETWORKS, ROWS, Passes
from test.distributed.test_two_processes import (
    NOISE,
    ROOT,
    arrays,
    assert_as_near_as_rounding,
    root_mean_square,
)

# Seeds of the changes of the pixels. The gradient of a gate's hidden layer may be a single number:
# by two draws its error was measured as 8 times what they change it, by four as 4 times at most.
DRAWS = range(1, 5)
LEEWAY = 5
# Arrays are compared that the changes move by less than this part of their length; most are. Errors
# of these were 6e-6 (OSNet) to 3e-5 (ResNeSt) in the median, and 2e-3 (a gate of ResNeSt) at most.
MOST_STRAY = 1e-3

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
    usual = passes.run(slice(ROWS))
    changed = [passes.run(slice(ROWS), Noise(NOISE, seed)) for seed in DRAWS]
    strays = {n: root_mean_square(each[n] - usual[n] for each in changed) for n in usual}
    # Others are nothing but rounding, as the gradients of shifts before another norm.
    names = [name for name in usual if strays[name] < MOST_STRAY * np.linalg.norm(usual[name])]
    # 0.89 (ResNeSt) to 0.99 (RepVGG) of all.
    assert len(names) > 0.8 * len(usual)
    first, usual, *changed = (
        {name: each[name] for name in names} for each in (first, usual, *changed)
    )
    assert_as_near_as_rounding(first, usual, changed, leeway=LEEWAY)
