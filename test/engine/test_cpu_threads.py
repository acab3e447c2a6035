import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.config import get_cfg
from fastreid.engine import cpu_threads, default_argument_parser, default_setup, setup
from fastreid.engine.cpu_threads import (
    SMALL_KERNELS,
    Kernels,
    MachineFacts,
    choose_threads,
    evaluation_elements,
    training_elements,
)

ROOT = Path(__file__).parents[2]
QUIET = MachineFacts(
    cores=2,
    visible_cores=2,
    busy_elsewhere=0.1,
    elements=SMALL_KERNELS,
    can_shorten=True,
)


def choose(wanted=0, **facts):
    return choose_threads(wanted, QUIET._replace(**facts))


@pytest.mark.parametrize("can_shorten", [True, False])
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"busy_elsewhere": 0.4},
        {"busy_elsewhere": None},
        {"busy_elsewhere": 2.0, "elements": SMALL_KERNELS + 1},
        # Another program leaves as many cores as this process may use.
        {"busy_elsewhere": 10.0, "visible_cores": 64, "cores": 50},
    ],
)
def test_where_nobody_is_in_the_way_mindspores_default_stays(facts, can_shorten):
    choice = choose(**facts, can_shorten=can_shorten)
    assert (choice.kernels, choice.short_slices) == (Kernels.SPLIT, False)
    if "cores" not in facts:
        assert (choice.dispatch, choice.helpers) == (None, None)


@pytest.mark.parametrize("can_shorten", [True, False])
@pytest.mark.parametrize(
    ("busy", "cores"), [(0.6, 2), (1.0, 2), (2.0, 2), (1.6, 3), (1.0, 1), (64.0, 64)]
)
def test_beside_busy_programs_small_kernels_get_short_time_slices(busy, cores, can_shorten):
    facts = {"cores": cores, "visible_cores": cores, "can_shorten": can_shorten}
    choice = choose(busy_elsewhere=busy, **facts)
    # With whole kernels the last digits of a resumed run would differ.
    assert (choice.kernels, choice.dispatch) == (Kernels.SPLIT, None)
    assert choice.short_slices is can_shorten
    assert (f"others use {busy:.1f} of {cores} cores" in choice.reason) is can_shorten


def test_a_quota_holds_beside_busy_programs_too():
    choice = choose(cores=2, visible_cores=64, busy_elsewhere=63.5)
    assert (choice.dispatch, choice.helpers, choice.short_slices) == (1, 1, True)
    assert "a quota allows 2 of 64 cores; kernels are small, and others use 63.5" in choice.reason


@pytest.mark.parametrize(
    ("cores", "dispatch", "helpers"), [(2, 1, 1), (1, 1, 1), (8, 1, 7), (16, 2, 14)]
)
def test_a_quota_limits_the_threads(cores, dispatch, helpers):
    choice = choose(cores=cores, visible_cores=64)
    assert (choice.dispatch, choice.helpers) == (dispatch, helpers)
    assert f"a quota allows {cores} of 64 cores" in choice.reason


@pytest.mark.parametrize(
    ("ranks", "cores", "dispatch", "helpers"),
    [(4, 8, 1, 1), (2, 8, 1, 3), (2, 32, 2, 14), (3, 2, 1, 1)],
)
def test_ranks_on_one_machine_divide_a_quota(ranks, cores, dispatch, helpers):
    facts = {"ranks": ranks, "cores": cores, "visible_cores": 64}
    choice = choose(**facts)
    assert (choice.dispatch, choice.helpers) == (dispatch, helpers)
    assert f"a quota allows {cores} of 64 cores to {ranks} processes" in choice.reason
    assert choose(1, **facts).helpers == max(1, cores // ranks - 1)


@pytest.mark.parametrize("can_shorten", [True, False])
@pytest.mark.parametrize("elements", [SMALL_KERNELS, SMALL_KERNELS + 1])
@pytest.mark.parametrize("cores", [2, 64])
def test_ranks_choose_the_same_whatever_the_others_do(cores, elements, can_shorten):
    facts = {"cores": cores, "visible_cores": cores, "can_shorten": can_shorten, "ranks": 2}
    facts["elements"] = elements
    choices = [choose(**facts, busy_elsewhere=busy) for busy in (None, 0.0, float(cores))]
    assert len(set(choices)) == 1
    assert (choices[0].dispatch, choices[0].helpers) == (None, None)
    assert choices[0].kernels is Kernels.SPLIT


@pytest.mark.parametrize(
    ("elements", "can_shorten", "short"),
    [(SMALL_KERNELS, True, True), (SMALL_KERNELS, False, False), (SMALL_KERNELS + 1, True, False)],
)
def test_ranks_without_large_kernels_get_short_time_slices(elements, can_shorten, short):
    choice = choose(ranks=2, busy_elsewhere=None, elements=elements, can_shorten=can_shorten)
    assert choice.short_slices is short
    assert ("2 processes work together" in choice.reason) is short


def measured(monkeypatch, cfg, **options):
    """What `set_cpu_threads` bases its choice on."""
    found = []

    def keep(wanted, facts):
        found.append(facts)
        return choose_threads(1, QUIET)._replace(dispatch=None)

    monkeypatch.setattr(cpu_threads, "choose_threads", keep)
    cpu_threads.set_cpu_threads(cfg, **options)
    return found[0]


@pytest.mark.parametrize(("ranks", "busy"), [(1, 1.5), (2, None)])
def test_only_a_process_alone_looks_who_else_is_busy(monkeypatch, ranks, busy):
    monkeypatch.setattr(cpu_threads, "busy_elsewhere", lambda: 1.5)
    monkeypatch.setattr(cpu_threads.comm, "get_local_size", lambda: ranks)
    facts = measured(monkeypatch, config(), images=1)
    assert (facts.ranks, facts.busy_elsewhere) == (ranks, busy)


@pytest.mark.parametrize(("wanted", "kernels"), [(1, Kernels.SPLIT), (3, Kernels.WHOLE)])
def test_the_key_overrules_everything(wanted, kernels):
    choice = choose(wanted, busy_elsewhere=2.0)
    assert (choice.kernels, choice.dispatch, choice.short_slices) == (kernels, wanted, False)
    assert "DISPATCH_THREADS" in choice.reason


def config(**values):
    cfg = get_cfg()
    cfg.merge_from_list([word for pair in values.items() for word in pair])
    return cfg


def test_the_size_of_a_step_is_that_of_images_and_features():
    cfg = config()
    assert training_elements(cfg) == 64 * 256 * 128 * 2048
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.ACCUMULATE = 16, 4
    assert training_elements(cfg) == 4 * 256 * 128 * 2048
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.SIZE = True, [64]
    assert training_elements(cfg) == 4 * 64 * 64 * 2048


def test_the_size_of_an_evaluation_is_that_of_its_own_images():
    cfg = config()
    cfg.INPUT.SIZE_TRAIN, cfg.INPUT.SIZE_TEST = [64, 32], [384, 128]
    assert evaluation_elements(cfg, 3) == 3 * 384 * 128 * 2048
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.SIZE = True, [320, 96]
    assert evaluation_elements(cfg, 3) == 3 * 320 * 96 * 2048


def test_images_of_any_size_count_as_those_of_the_training():
    cfg = config()
    cfg.INPUT.SIZE_TEST = [256]
    assert evaluation_elements(cfg, 2) == 2 * 256 * 128 * 2048


@pytest.mark.parametrize(("words", "images"), [([], None), (["--eval-only"], 7)])
def test_a_program_that_only_evaluates_chooses_by_its_batch(monkeypatch, tmp_path, words, images):
    cfg = config()
    cfg.OUTPUT_DIR, cfg.MODEL.DEVICE, cfg.TEST.IMS_PER_BATCH = str(tmp_path), "cpu", 7
    found = []
    monkeypatch.setattr(setup, "set_cpu_threads", lambda _, images: found.append(images))
    monkeypatch.setattr(setup, "setup_logger", lambda *_: None)
    default_setup(cfg, default_argument_parser().parse_args(words))
    assert found == [images]


def calls_of(name):
    """Calls of a function in the package, the tools and the benchmarks: (file, call)."""
    for folder in ("fastreid", "tools", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                    yield path.relative_to(ROOT).as_posix(), node


def test_programs_that_do_not_train_say_how_many_images_they_compute_at_once():
    calls = list(calls_of("set_device_and_mode"))
    assert len(calls) > 8
    silent = [file for file, call in calls if [word.arg for word in call.keywords] != ["images"]]
    assert silent == []


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
from fastreid.engine import cpu_threads
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


@pytest.mark.zoo
def test_the_number_of_dispatching_threads_changes_no_bits():
    found = {}
    for threads in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-m", "test.engine.thread_steps", threads],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            timeout=600,
        )
        found[threads] = done.stdout.splitlines()
    # Before and after two basic steps and a meta step, each of which moves parameters.
    assert len(set(found["1"])) == 4
    assert found["1"] == found["2"] == found["3"]
