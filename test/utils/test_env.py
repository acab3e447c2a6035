import random
import re
import subprocess

import mindspore as ms
import numpy as np
import pytest

from fastreid import __version__
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.collect_env import collect_env_info, collect_versions, git_state
from fastreid.utils.comm import get_rank, get_world_size, is_main_process
from fastreid.utils.env import GlobalRandomness, seed_all_rng
from fastreid.utils.processor import describe_kernels, loaded_kernels


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


def test_the_environment_names_the_kernels_of_both_blas_libraries(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    lines = collect_env_info().splitlines()
    for kernels in loaded_kernels():
        text = f"BLAS of {kernels.package} "
        assert [describe_kernels(kernels) in line for line in lines if text in line] == [True]
    assert any(line.split() == ["OPENBLAS_CORETYPE", "Haswell"] for line in lines)


def test_the_states_of_global_generators_are_restored(tmp_path):
    model = ms.nn.Dense(2, 2)
    seed_all_rng(5)
    # NumPy draws normal numbers in pairs; after an odd number, one is cached in the state.
    random.gauss(0, 1), np.random.randn()
    Checkpointer(model, tmp_path, randomness=GlobalRandomness()).save("a")
    state = ms.get_rng_state().asnumpy().copy()

    def draw():
        return random.gauss(0, 1), random.random(), np.random.randn(), np.random.rand()

    expected = draw()
    seed_all_rng(6)
    Checkpointer(model, tmp_path, randomness=GlobalRandomness()).load(tmp_path / "a.ckpt")
    assert draw() == expected
    np.testing.assert_array_equal(ms.get_rng_state().asnumpy(), state)


def test_the_git_state_has_commit_and_changed_files(tmp_path, monkeypatch):
    run = subprocess.run
    for words in ("init -q", "config user.email a@b.c", "config user.name a"):
        run(["git", "-C", str(tmp_path), *words.split()], check=True)
    assert git_state(tmp_path) == "<unknown>"
    (tmp_path / "a").write_text("1")
    run(["git", "-C", str(tmp_path), "add", "a"], check=True)
    run(["git", "-C", str(tmp_path), "commit", "-qm", "x"], check=True)
    assert re.fullmatch("[0-9a-f]{40}", git_state(tmp_path))
    (tmp_path / "a").write_text("2")
    assert re.fullmatch("[0-9a-f]{40}, 1 changed files", git_state(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) == "<unknown>"
    assert git_state(tmp_path / "none") == "<no repository>"


def test_versions_of_numeric_packages_are_collected():
    versions = collect_versions()
    assert versions["mindspore"] == ms.__version__
    assert versions["numpy"] == np.__version__
    assert versions["fastreid"] == __version__
