import json
import os
import subprocess
import sys

import pytest

from fastreid.config import get_cfg
from fastreid.engine.cpu_threads import (
    SMALL_KERNELS,
    Kernels,
    MachineFacts,
    choose_threads,
    step_elements,
)

QUIET = MachineFacts(
    cores=2,
    visible_cores=2,
    processes=1,
    busy_elsewhere=0.1,
    step_elements=SMALL_KERNELS,
)


def choose(wanted=0, **facts):
    return choose_threads(wanted, QUIET._replace(**facts))


def test_alone_on_the_machine_mindspores_default_stays():
    choice = choose()
    assert (choice.kernels, choice.dispatch, choice.helpers) == (Kernels.SPLIT, None, None)


@pytest.mark.parametrize("busy", [1.6, 2.0])
def test_beside_busy_programs_small_kernels_stay_whole(busy):
    choice = choose(busy_elsewhere=busy)
    assert (choice.kernels, choice.dispatch) == (Kernels.WHOLE, 2)
    assert f"others use {busy:.1f} of 2 cores" in choice.reason


@pytest.mark.parametrize(
    "facts",
    [
        {"step_elements": SMALL_KERNELS + 1},
        # Another program leaves as many cores as this process may use.
        {"busy_elsewhere": 2.0, "visible_cores": 4},
        {"busy_elsewhere": 30.0, "visible_cores": 64, "cores": 64},
        {"busy_elsewhere": 1.0, "visible_cores": 1, "cores": 1},
        {"busy_elsewhere": None},
        # Partly busy: faster when split.
        {"busy_elsewhere": 1.0},
    ],
)
def test_elsewhere_kernels_are_split(facts):
    assert choose(**{"busy_elsewhere": 2.0, **facts}).kernels is Kernels.SPLIT


@pytest.mark.parametrize(
    ("cores", "processes", "kernels"),
    [(2, 2, Kernels.WHOLE), (4, 2, Kernels.SPLIT), (4, 4, Kernels.WHOLE), (2, 1, Kernels.SPLIT)],
)
def test_processes_of_a_job_are_neighbours(cores, processes, kernels):
    assert choose(cores=cores, visible_cores=cores, processes=processes).kernels is kernels


@pytest.mark.parametrize(
    ("cores", "dispatch", "helpers"), [(2, 1, 1), (1, 1, 1), (8, 1, 7), (16, 2, 14)]
)
def test_a_quota_limits_the_threads(cores, dispatch, helpers):
    choice = choose(cores=cores, visible_cores=64)
    assert (choice.dispatch, choice.helpers) == (dispatch, helpers)
    assert f"a quota allows {cores} of 64 cores" in choice.reason


@pytest.mark.parametrize(("wanted", "kernels"), [(1, Kernels.SPLIT), (3, Kernels.WHOLE)])
def test_the_key_overrules_everything(wanted, kernels):
    choice = choose(wanted, busy_elsewhere=2.0)
    assert (choice.kernels, choice.dispatch) == (kernels, wanted)
    assert "DISPATCH_THREADS" in choice.reason


def config(**values):
    cfg = get_cfg()
    cfg.merge_from_list([word for pair in values.items() for word in pair])
    return cfg


def test_the_size_of_a_step_is_that_of_images_and_features():
    cfg = config()
    assert step_elements(cfg) == 64 * 256 * 128 * 2048
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.ACCUMULATE = 16, 4
    assert step_elements(cfg) == 4 * 256 * 128 * 2048
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.SIZE = True, [64]
    assert step_elements(cfg) == 4 * 64 * 64 * 2048


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="DISPATCH_THREADS is -1"):
        get_cfg().merge_from_list(["DISPATCH_THREADS", "-1"])


RUN = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
import fastreid
import mindspore as ms, numpy as np
from fastreid.config import get_cfg
from fastreid.engine import set_device_and_mode
cfg = get_cfg()
cfg.merge_from_list(["MODEL.DEVICE", "cpu", "DISPATCH_THREADS", sys.argv[1]])
set_device_and_mode(cfg)
set_device_and_mode(cfg)
x = ms.Tensor(np.ones((64, 64), np.float32))
print(ms.ops.matmul(x, x).asnumpy().sum())
import json, pathlib
names = [p.read_text().strip() for p in pathlib.Path("/proc/self/task").glob("*/comm")]
print(json.dumps(names))
"""


def test_the_key_arrives_at_mindspore():
    done = subprocess.run(
        [sys.executable, "-c", RUN, "2"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GLOG_v": "3"},
        timeout=120,
    )
    assert "each kernel runs on one core (set by DISPATCH_THREADS)" in done.stderr
    assert "DISPATCH_THREADS has no effect" in done.stderr
    threads = json.loads(done.stdout.splitlines()[-1])
    if len(os.sched_getaffinity(0)) > 1:
        assert sum(name.startswith("ActorThread_") for name in threads) == 2
