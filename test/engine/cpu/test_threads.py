import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.config import get_cfg
from fastreid.engine.cpu import threads as cpu_threads
from fastreid.engine.cpu.threads import (
    Kernels,
    MachineFacts,
    choose_threads,
    moves_kernels,
    place_kernels,
)
from fastreid.utils.comm import LOCAL_SIZE_VARIABLE
from fastreid.utils.machine import Busy

ROOT = Path(__file__).parents[3]
QUIET = MachineFacts(cores=2, visible_cores=2, all_cores=2, busy_elsewhere=0.1)


def choose(wanted=0, **facts):
    return choose_threads(wanted, QUIET._replace(**facts))


@pytest.mark.parametrize(
    ("cores", "busy"), [(1, 0.0), (1, 0.2), (1, None), (2, 0.5), (2, None), (64, 16.0), (64, None)]
)
def test_where_nobody_is_in_the_way_mindspores_default_stays(cores, busy):
    choice = choose(cores=cores, visible_cores=cores, all_cores=cores, busy_elsewhere=busy)
    assert choice == (Kernels.OVER_CORES, None, None, None, False, "MindSpore's default")


@pytest.mark.parametrize(
    ("busy", "cores", "shared"),
    [(0.6, 2, 1), (1.0, 2, 1), (2.0, 2, 1), (1.6, 3, 1), (1.0, 1, 1), (64.0, 64, 32), (6, 16, 10)],
)
def test_beside_busy_programs_kernels_run_on_a_part_of_the_cores(busy, cores, shared):
    choice = choose(busy_elsewhere=busy, cores=cores, visible_cores=cores, all_cores=cores)
    # With another number of threads, kernels would be split in another way.
    assert choice[:5] == (Kernels.OVER_CORES, None, None, shared, False)
    assert choice.reason == f"others use {busy:.1f} of {cores} cores"


def test_a_quota_holds_beside_busy_programs_too():
    choice = choose(cores=2, visible_cores=64, all_cores=64, busy_elsewhere=63.5)
    assert (choice.dispatch, choice.threads, choice.shared) == (None, 2, 1)
    assert choice.reason == "a quota allows 2 of 64 cores; others use 63.5 of 64 cores"


@pytest.mark.parametrize("cores", [1, 2, 8, 16])
@pytest.mark.parametrize(
    ("visible", "total", "reason"),
    [(64, 64, "a quota allows {} of 64 cores"), (None, 64, "it may run on {} of 64 cores")],
)
def test_a_quota_and_an_affinity_limit_the_threads(cores, visible, total, reason):
    choice = choose(cores=cores, visible_cores=visible or cores, all_cores=total)
    # MindSpore counts the cores of the machine. A number of dispatching threads would change bits.
    assert (choice.dispatch, choice.threads) == (None, cores)
    assert choice.reason == reason.format(cores)


@pytest.mark.parametrize(
    ("ranks", "cores", "threads"), [(4, 8, 2), (2, 8, 4), (2, 32, 16), (3, 2, 1)]
)
@pytest.mark.parametrize("visible", [None, 64])
def test_ranks_divide_the_cores_of_a_machine_and_those_of_a_quota(ranks, cores, threads, visible):
    facts = {"ranks": ranks, "cores": cores, "visible_cores": visible or cores, "divides": True}
    facts["all_cores"] = facts["visible_cores"]
    choices = [choose(**facts, busy_elsewhere=busy) for busy in (None, 0.0, float(cores))]
    assert len(set(choices)) == 1
    assert choices[0][:5] == (Kernels.OVER_CORES, None, threads, None, True)
    assert f"{ranks} processes divide {cores} cores" in choices[0].reason
    assert ("a quota allows" in choices[0].reason) is (visible is not None)
    assert choose(1, **facts).threads == threads
    # Without fastreid's launcher, how many ranks this machine has is a guess.
    guessed = choose(**{**facts, "divides": False})
    assert (guessed.divides, guessed.threads) == (False, cores if visible else None)
    assert "processes" not in guessed.reason


@pytest.mark.parametrize(
    ("wanted", "kernels", "dispatch"), [(1, Kernels.OVER_CORES, None), (3, Kernels.ON_ONE_CORE, 3)]
)
@pytest.mark.parametrize("ranks", [1, 2])
def test_the_key_overrules_everything(wanted, kernels, dispatch, ranks):
    choice = choose(wanted, busy_elsewhere=2.0, ranks=ranks, divides=ranks > 1)
    assert choice[:2] == (kernels, dispatch)
    assert (choice.shared, choice.divides) == (None, False)
    assert choice.reason == "set by DISPATCH_THREADS"


def test_whole_kernels_within_a_quota_need_few_other_threads():
    facts = {"cores": 8, "visible_cores": 64, "all_cores": 64}
    assert choose(2, **facts)[:3] == (Kernels.ON_ONE_CORE, 2, 6)
    assert choose(8, **facts)[:3] == (Kernels.ON_ONE_CORE, 8, 1)


class Placed:
    """What `place_kernels` does to the threads of this process."""

    def __init__(self, monkeypatch, *, elsewhere=0.0, ranks=1):
        self.done, self.kernels = [], {1}
        busy = Busy(elsewhere, {0: 1.0, 1: 0.5})
        for name, function in {
            "look_around": lambda: self.note("look", busy),
            "share_cores": lambda count, by_core: self.note(("share", count, by_core), True),
            "keep_kernels_on": lambda cores: self.note(("keep", cores), True),
            "shorten_time_slices": lambda: self.note("shorten", True),
            "has_short_time_slices": lambda: True,
            "kernel_cores": lambda: self.kernels,
            "num_cores": lambda: 2,
            "num_visible_cores": lambda: 2,
            "visible_cores": lambda: {0, 1},
            "cores_of_rank": lambda rank, count: {("part", rank, count)},
        }.items():
            monkeypatch.setattr(cpu_threads, name, function)
        monkeypatch.setattr(cpu_threads.os, "cpu_count", lambda: 2)
        monkeypatch.setattr(cpu_threads.comm, "get_local_size", lambda: ranks)
        monkeypatch.setattr(cpu_threads.comm, "get_local_rank", lambda: 1)
        monkeypatch.setenv(LOCAL_SIZE_VARIABLE, str(ranks))

    def note(self, what, answer):
        self.done.append(what)
        return answer


def test_a_process_that_is_alone_looks_who_else_is_busy(monkeypatch, caplog):
    placed = Placed(monkeypatch, elsewhere=1.5)
    with caplog.at_level("INFO"):
        place_kernels(config())
    assert placed.done == ["look", ("share", 1, {0: 1.0, 1: 0.5})]
    assert caplog.messages == [
        "Threads on 2 cores: kernels are split over the cores, on core 1, with short time slices "
        "(others use 1.5 of 2 cores)"
    ]


def test_on_a_quiet_machine_kernels_go_back_to_all_cores(monkeypatch, caplog):
    placed = Placed(monkeypatch)
    with caplog.at_level("INFO"):
        place_kernels(config())
    assert placed.done == ["look", ("keep", {0, 1})]
    assert caplog.messages == [
        "Threads on 2 cores: kernels are split over the cores (MindSpore's default)"
    ]


@pytest.mark.parametrize("kernels", [set(), {0, 1}])
def test_kernels_that_nobody_has_moved_stay(monkeypatch, kernels):
    placed = Placed(monkeypatch)
    placed.kernels = kernels
    place_kernels(config())
    assert placed.done == ["look"]


def test_ranks_of_another_launcher_stay_on_all_cores(monkeypatch, caplog):
    placed = Placed(monkeypatch, elsewhere=2.0, ranks=2)
    monkeypatch.delenv(LOCAL_SIZE_VARIABLE)
    place_kernels(config())
    assert placed.done == []


def test_where_kernels_have_no_threads_of_their_own_no_cores_are_named(monkeypatch, caplog):
    Placed(monkeypatch, elsewhere=1.5).kernels = set()
    with caplog.at_level("INFO"):
        place_kernels(config())
    assert "split over the cores (others use" in caplog.text


def test_ranks_do_not_look_and_keep_to_their_part(monkeypatch, caplog):
    placed = Placed(monkeypatch, elsewhere=2.0, ranks=2)
    with caplog.at_level("INFO"):
        place_kernels(config())
    assert placed.done == ["shorten", ("keep", {("part", 1, 2)})]
    assert "Threads on 1 core:" in caplog.text
    assert "(2 processes divide 2 cores)" in caplog.text


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_with_the_key_nothing_is_looked_at_or_moved(monkeypatch, threads, ranks):
    placed = Placed(monkeypatch, elsewhere=2.0, ranks=ranks)
    placed.kernels = {0, 1}
    place_kernels(config(DISPATCH_THREADS=threads))
    assert placed.done == []


@pytest.mark.parametrize("threads", ["1", "2"])
def test_with_the_key_kernels_that_an_earlier_call_has_moved_go_back(monkeypatch, threads):
    placed = Placed(monkeypatch, elsewhere=2.0)
    place_kernels(config(DISPATCH_THREADS=threads))
    assert placed.done == [("keep", {0, 1})]


@pytest.mark.parametrize(
    ("threads", "ranks", "device", "moves"),
    [
        (0, 1, "CPU", True),
        (0, 2, "CPU", False),
        (1, 1, "CPU", False),
        (2, 1, "CPU", False),
        (0, 1, "GPU", False),
        (0, 1, "Ascend", False),
    ],
)
def test_kernels_move_only_on_a_cpu_without_ranks_and_key(
    monkeypatch, threads, ranks, device, moves
):
    monkeypatch.setattr(cpu_threads.comm, "get_local_size", lambda: ranks)
    monkeypatch.setattr(cpu_threads.ms, "get_context", {"device_target": device}.get)
    assert moves_kernels(config(DISPATCH_THREADS=str(threads))) is moves


def config(**values):
    cfg = get_cfg()
    cfg.merge_from_list([word for pair in values.items() for word in pair])
    return cfg


def calls_of(name):
    """Calls of a function in the package, the tools and the benchmarks: (file, call)."""
    for folder in ("fastreid", "tools", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                    yield path.relative_to(ROOT).as_posix(), node


def files_that_call(*names):
    return {file for name in names for file, _ in calls_of(name)}


def test_every_tool_that_runs_a_model_chooses_threads():
    models = ("DefaultPredictor", "DefaultTrainer", "MindirModel", "build_backbone", "build_model")
    choosing = files_that_call("set_device_and_mode", "default_setup")
    tools = {file for file in files_that_call(*models) if file.startswith("tools/")}
    assert len(tools) > 4
    # It reads the names of weights.
    assert tools - choosing == {"tools/convert_weights.py"}


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="DISPATCH_THREADS is -1"):
        get_cfg().merge_from_list(["DISPATCH_THREADS", "-1"])


RUN = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
import fastreid
import mindspore as ms, numpy as np
from fastreid.config import get_cfg
from fastreid.engine.cpu import threads as cpu_threads
from fastreid.engine import set_device_and_mode
from fastreid.utils.machine import Busy, kernel_cores, visible_cores
cfg = get_cfg()
cfg.merge_from_list(["MODEL.DEVICE", "cpu", "DISPATCH_THREADS", sys.argv[1]])
cores = visible_cores()
cpu_threads.look_around = lambda: Busy(float(sys.argv[2]), dict.fromkeys(cores, 1.0))
set_device_and_mode(cfg)
set_device_and_mode(cfg)
x = ms.Tensor(np.ones((64, 64), np.float32))
print(ms.ops.matmul(x, x).asnumpy().sum())
import json, pathlib
names = [p.read_text().strip() for p in pathlib.Path("/proc/self/task").glob("*/comm")]
print(json.dumps({"names": names, "cores": len(kernel_cores()), "all": len(cores)}))
"""


def run(*words):
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GLOG_v": "3"},
        timeout=120,
    )
    return done.stderr, json.loads(done.stdout.splitlines()[-1])


def test_the_key_arrives_at_mindspore():
    log, found = run("2", "0")
    assert "each kernel runs on one core (set by DISPATCH_THREADS)" in log
    assert "DISPATCH_THREADS has no effect" in log
    if found["all"] > 1:
        assert sum(name.startswith("ActorThread_") for name in found["names"]) == 2
    assert found["cores"] == found["all"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep threads on no cores")
def test_the_choice_of_cores_arrives_at_mindspore():
    cores = len(os.sched_getaffinity(0))
    log, found = run("0", str(cores))
    assert f"others use {cores:.1f} of {cores} cores" in log
    assert "has no effect" not in log
    assert found["cores"] == max(1, cores // 2)
    log, found = run("0", "0")
    assert found["cores"] == found["all"] == cores


@pytest.mark.zoo
def test_neither_dispatching_threads_nor_cores_change_bits():
    found = {}
    for words in (["1"], ["2"], ["3"], ["1", "moves"]):
        done = subprocess.run(
            [sys.executable, "-m", "test.engine.cpu.thread_steps", *words],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            timeout=600,
        )
        found[" ".join(words)] = done.stdout.splitlines()
    # Before and after two basic steps and a meta step, each of which moves parameters.
    assert len(set(found["1"])) == 4
    assert all(digests == found["1"] for digests in found.values())
