import random

import mindspore as ms
import numpy as np
import pytest

from fastreid import __version__
from fastreid.utils.collect_env import collect_env_info
from fastreid.utils.comm import get_rank, get_world_size, is_main_process
from fastreid.utils.env import seed_all_rng


def draws():
    return random.random(), np.random.rand(), float(ms.ops.standard_normal((1,)).asnumpy()[0])


def test_a_seed_decides_what_every_generator_draws():
    seed_all_rng(3)
    first = draws()
    seed_all_rng(3)
    assert draws() == first
    seed_all_rng(4)
    assert draws() != first


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=rf"SEED \({seed}\) must be at least 0"):
        seed_all_rng(seed)


def test_a_single_process_is_the_main_one():
    assert (get_rank(), get_world_size(), is_main_process()) == (0, 1, True)


def test_the_environment_names_versions_and_variables(monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", "somewhere")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    rows = dict(line.split(None, 1) for line in collect_env_info().splitlines()[1:-1])
    assert rows["fastreid"].strip() == __version__
    assert rows["mindspore"].strip() == ms.__version__
    assert rows["FASTREID_DATASETS"].strip() == "somewhere"
    assert rows["CUDA_VISIBLE_DEVICES"].strip() == "<not set>"
