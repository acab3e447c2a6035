import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from fastreid.config import get_cfg, import_modules
from fastreid.data.pipeline.preparation import prepare_images
from fastreid.data.pipeline.workers import Caught, WorkerError, WorkerPool
from fastreid.data.transforms import build_transforms
from test.data import pipeline_case as case


@pytest.fixture
def pool():
    pool = WorkerPool(2)
    pool.attach()
    yield pool
    pool.close()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(condition, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_each_job_gets_its_own_result(pool):
    futures = [pool.submit(divmod, number, 7) for number in range(20)]
    assert [future.result(10) for future in futures] == [divmod(n, 7) for n in range(20)]


def test_all_workers_get_jobs(pool):
    futures = [pool.submit(case.sleep, 0.3) for _ in range(4)]
    assert {future.result(10) for future in futures} == set(pool.pids)
    assert len(pool.pids) == 2


def test_workers_load_the_pipeline_but_not_mindspore(pool):
    modules = pool.submit(case.loaded_modules).result(10)
    assert "fastreid.data.pipeline.loader" in modules
    assert "fastreid.data.datasets" in modules
    assert "mindspore" not in modules


OWN_CODE = """
from PIL import Image

from halving_factor import factor
from fastreid.data.transforms import TRANSFORM_REGISTRY


@TRANSFORM_REGISTRY.register()
class Halve{}:
    def __init__(self, cfg):
        pass

    def __call__(self, image, rng):
        return image.point(lambda value: value * factor)
"""


def test_workers_import_users_modules_under_the_same_names_when_needed(pool, tmp_path, monkeypatch):
    import random

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    (tmp_path / "halving_factor.py").write_text("factor = 0.5")
    # The name of the second file means another module to Python.
    for number, name in enumerate(("halving.py", "random.py")):
        (tmp_path / name).write_text(OWN_CODE.format(number))
    Image.new("RGB", (4, 8), (200, 100, 50)).save(tmp_path / "a.png")
    cfg = get_cfg()
    cfg.INPUT.SIZE_TRAIN = [8, 4]
    modules = import_modules([str(tmp_path / "halving.py"), str(tmp_path / "random.py")])
    before = pool.submit(case.loaded_modules).result(10)
    for number, module in enumerate(modules):
        cfg.INPUT.TRANSFORMS_TRAIN = [f"Halve{number}"]
        job = (build_transforms(cfg), [(str(tmp_path / "a.png"), (1,))])
        (image,) = pool.submit(prepare_images, *job).result(10)
        assert image[:, 0, 0].tolist() == [100, 50, 25]
        assert module.__name__ not in before
    assert modules[0].__name__ == "halving"
    assert modules[1] is not random


def test_without_workers_jobs_run_in_the_calling_thread():
    pool = WorkerPool(0)
    assert pool.submit(case.sleep, 0).result() == os.getpid()
    with pytest.raises(KeyError, match="lost"):
        pool.submit(case.fail).result()
    assert pool.pids == []


def test_a_negative_number_of_workers_is_rejected():
    with pytest.raises(ValueError, match=r"NUM_WORKERS is -1; it must be 0 \(no processes\)"):
        WorkerPool(-1)


def test_an_error_in_a_worker_comes_with_its_traceback(pool):
    error = pool.submit(case.fail).exception(10)
    assert isinstance(error, WorkerError)
    assert str(error) == "A data worker failed: KeyError: 'lost'"
    assert 'raise KeyError("lost")' in str(error.__cause__)
    assert pool.submit(divmod, 9, 7).result(10) == (1, 2), "the pool works on"


def test_a_killed_worker_is_reported_at_once_and_ends_the_others(pool):
    started = time.monotonic()
    waiting = [pool.submit(case.sleep, 30) for _ in range(3)]
    assert wait_until(lambda: waiting[1].running())
    pids = pool.pids
    os.kill(pids[0], signal.SIGKILL)
    for future in waiting:
        with pytest.raises(WorkerError, match=f"worker {pids[0]} died .killed by SIGKILL.*lower"):
            future.result(5)
    assert time.monotonic() - started < 5
    assert wait_until(lambda: not any(map(is_running, pids)))
    with pytest.raises(WorkerError, match="killed by SIGKILL"):
        pool.submit(divmod, 1, 1).result(5)


def test_an_idle_worker_that_is_killed_is_reported(pool):
    assert pool.submit(divmod, 9, 7).result(10) == (1, 2)
    os.kill(pool.pids[1], signal.SIGTERM)
    assert wait_until(lambda: isinstance(pool.submit(divmod, 1, 1).exception(5), WorkerError))


def test_an_incomplete_answer_is_reported_as_a_dead_worker():
    ours, theirs = multiprocessing.Pipe()
    # The length of a message, and less than that of it.
    os.write(theirs.fileno(), struct.pack("!i", 100) + b"half")
    theirs.close()
    with ours:
        assert not WorkerPool._collect(ours, [], {})


def test_closing_ends_the_processes_quickly_and_may_be_repeated(pool):
    running = pool.submit(case.sleep, 30)
    assert wait_until(running.running)
    pids = pool.pids
    started = time.monotonic()
    pool.close()
    pool.close()
    assert time.monotonic() - started < 2
    assert not any(map(is_running, pids))
    with pytest.raises(WorkerError, match="were closed"):
        running.result(1)
    with pytest.raises(WorkerError, match="were closed"):
        pool.submit(divmod, 1, 1).result(1)


def test_the_last_user_closes_the_pool_and_a_new_one_opens_it_again(pool):
    pool.attach()
    pool.submit(divmod, 9, 7).result(10)
    first = pool.pids
    pool.detach()
    assert all(map(is_running, first))
    pool.detach()
    assert not any(map(is_running, first))
    pool.attach()
    assert pool.submit(divmod, 9, 7).result(10) == (1, 2)
    assert not set(first) & set(pool.pids)


SCRIPT = """
import sys, time
from fastreid.data.pipeline.workers import WorkerPool
print("script runs", flush=True)
pool = WorkerPool(2)
pool.attach()
future = pool.submit(time.sleep, 60)
pool.submit(divmod, 1, 1).result()
print(*pool.pids, flush=True)
{ending}
"""


@pytest.fixture
def run_script(tmp_path):
    """Start scripts, which end with the test; give the process and its workers' ids."""
    with case.scripts_that_end(tmp_path) as start:

        def run(ending: str) -> tuple[subprocess.Popen, list[int]]:
            process = start(SCRIPT.format(ending=ending))
            assert process.stdout.readline() == "script runs\n"
            return process, [int(pid) for pid in process.stdout.readline().split()]

        yield run


def test_a_script_without_a_main_guard_works_and_leaves_no_process_behind(run_script):
    process, pids = run_script("")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")
    assert len(pids) == 2
    assert not any(map(is_running, pids))


def test_workers_end_when_the_main_process_is_killed(run_script):
    process, pids = run_script("time.sleep(60)")
    process.kill()
    process.communicate(timeout=5)
    assert wait_until(lambda: not any(map(is_running, pids)))


def test_ctrl_c_shows_the_traceback_of_the_main_process_only(run_script):
    process, pids = run_script("time.sleep(60)")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not any(map(is_running, pids))


def test_errors_that_end_the_program_are_not_caught():
    with Caught() as caught:
        raise ValueError("kept")
    assert str(caught.error) == "kept"
    with pytest.raises(KeyboardInterrupt), Caught():
        raise KeyboardInterrupt
