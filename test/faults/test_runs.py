"""Training processes that are killed, ended and resumed: the results equal an uninterrupted
run's."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from demo_data import Sizes, make_demo_data
from fastreid.utils.checkpoint.files import read_checkpoint
from test.faults import table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# Three iterations an epoch, four epochs.
ITERATIONS = 12
# After the second epoch and the fourth; most runs do without, which saves a compilation.
EVALUATED = ("DATASETS.TESTS", "('Market1501',)")
SMALL = [
    *("DATASETS.NAMES", "('Market1501',)", "DATASETS.TESTS", "()"),
    *(
        "MODEL.HEADS.NAME",
        "EmbeddingHead",
        "MODEL.LOSSES.NAME",
        "('CrossEntropyLoss',)",
        "SOLVER.META.PERIOD",
        "0",
    ),
    *("SOLVER.META.FIRST_BASIC_STEPS", "1", "SOLVER.WARMUP_EPOCHS", "1"),
    *("INPUT.SIZE_TRAIN", "(32, 16)", "INPUT.SIZE_TEST", "(32, 16)"),
    *("SOLVER.IMS_PER_BATCH", "8", "DATALOADER.NUM_INSTANCE", "2", "TEST.IMS_PER_BATCH", "32"),
    *("SOLVER.MAX_EPOCH", "4", "SOLVER.LOG_PERIOD", "1", "SOLVER.CHECKPOINT_PERIOD_ITERS", "2"),
    *("TEST.EVAL_PERIOD", "2", "TEST.PLOTS", "False"),
]


class Attempt(NamedTuple):
    """One process: its fault, the iteration before which the fault occurs, and further settings."""

    fault: str
    at: int = 0
    workers: int = 0
    words: tuple = ()


UNBROKEN = "unbroken"
UNBROKEN_EVALUATED = "unbroken, with evaluations and a worker"
IN_EVALUATION = "SIGTERM in an evaluation"
# Each is resumed until it is through; the checkpoint that is resumed from is in the name.
STOPS = {
    "stop after two of four epochs": [Attempt("none", words=("SOLVER.STOP_ITERS", "6"))],
    "kill -9 in the middle of an epoch": [Attempt("kill", 5, workers=1)],
    "SIGTERM in the middle of an epoch": [Attempt("terminate", 7)],
    IN_EVALUATION: [Attempt("terminate_in_evaluation")],
    "kill -9 of a worker": [Attempt("kill_worker", 4, workers=2)],
}
CODES = {"none": 0, "kill": -9, "kill_worker": 1}
# Batches that were ready when a worker died are still trained on.
RESUMED_AT = dict(zip(STOPS, ((6,), (4,), (8,), (6,), (4, 6, 8, 9))))


class Outcome(NamedTuple):
    """A finished run: its folder, and of each process the exit code and what it printed."""

    folder: Path
    codes: list[int]
    printed: list[str]


def train(data, folder, attempt):
    command = [sys.executable, "-m", "test.faults.victim", attempt.fault, str(attempt.at)]
    words = [*SMALL, "OUTPUT_DIR", str(folder), "DATALOADER.NUM_WORKERS", str(attempt.workers)]
    return subprocess.run(
        [*command, "--resume", *words, *attempt.words],
        cwd=ROOT,
        env={**os.environ, "FASTREID_DATASETS": str(data), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("datasets")
    make_demo_data(root, sizes=Sizes(train_ids=6, test_ids=5, images=4), names=["Market1501"])
    return root


@pytest.fixture(scope="module")
def outcomes(data, tmp_path_factory):
    """All runs, two at a time."""
    whole = {UNBROKEN: [], UNBROKEN_EVALUATED: []}

    def run(name):
        folder = tmp_path_factory.mktemp("run")
        attempts = STOPS.get(name, whole.get(name))
        # The resumed process has another number of workers than the one before.
        attempts = [*attempts, Attempt("none", workers=int(name == UNBROKEN_EVALUATED))]
        words = EVALUATED if name in (UNBROKEN_EVALUATED, IN_EVALUATION) else ()
        done = [
            # The first finds no checkpoint and starts a new run.
            train(data, folder, attempt._replace(words=attempt.words + words))
            for attempt in attempts
        ]
        return Outcome(folder, [d.returncode for d in done], [d.stdout + d.stderr for d in done])

    with ThreadPoolExecutor(2) as pool:
        names = [*whole, *STOPS]
        return dict(zip(names, pool.map(run, names)))


def final(outcome):
    assert outcome.codes[-1] == 0, outcome.printed[-1][-3000:]
    return read_checkpoint(outcome.folder / "model_final.ckpt")


def losses(outcome):
    lines = (outcome.folder / "metrics.json").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [(r["iteration"], r["total_loss"]) for r in records if "total_loss" in r]


def largest_difference(got, want):
    groups = [(got.model, want.model)]
    for owner in want.states:
        groups.append((got.states[owner], want.states[owner]))
    worst = 0.0
    for mine, theirs in groups:
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            if isinstance(value, np.ndarray):
                difference = np.abs(mine[name].astype(np.float64) - value.astype(np.float64))
                worst = max(worst, float(difference.max(initial=0)))
            else:
                assert mine[name] == value, name
    return worst


@pytest.mark.parametrize("stop", STOPS)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(outcomes, stop):
    survived = False
    try:
        outcome, want = outcomes[stop], final(outcomes[UNBROKEN])
        assert outcome.codes[0] == CODES.get(STOPS[stop][0].fault, 143), outcome.printed[0][-3000:]
        resumed = re.search(r"Resumed at iteration (\d+)", outcome.printed[1])
        assert int(resumed[1]) in RESUMED_AT[stop]
        got = final(outcome)
        assert got.extra["iteration"] == ITERATIONS
        assert got.extra["positions"] == want.extra["positions"]
        assert got.extra["bookmarks"] == want.extra["bookmarks"] != [None]
        assert largest_difference(got, want) == 0
        assert losses(outcome) == losses(outcomes[UNBROKEN])
        survived = True
    finally:
        table.record(stop, survived=survived)


def test_two_runs_with_one_seed_are_equal_for_any_workers_and_evaluations(outcomes):
    one, other = outcomes[UNBROKEN], outcomes[UNBROKEN_EVALUATED]
    assert [iteration for iteration, _ in losses(one)] == list(range(ITERATIONS))
    assert losses(one) == losses(other)
    assert largest_difference(final(one), final(other)) == 0


def test_an_interrupted_evaluation_is_repeated_after_resuming(outcomes):
    def evaluations(name):
        lines = (outcomes[name].folder / "metrics.json").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        scores = [(r["iteration"], r.get("Market1501/mAP")) for r in records]
        return [score for score in scores if score[1] is not None]

    broken, unbroken = evaluations(IN_EVALUATION), evaluations(UNBROKEN_EVALUATED)
    assert [iteration for iteration, _ in unbroken] == [5, 11]
    assert broken == unbroken
    best = [final(outcomes[n]).extra["best_metric"] for n in (IN_EVALUATION, UNBROKEN_EVALUATED)]
    assert best[0] == best[1] > 0


def test_resuming_in_an_empty_folder_starts_a_new_run_and_logs_this(outcomes):
    outcome = outcomes[UNBROKEN]
    assert f"No checkpoint in {outcome.folder}: starting a new run" in outcome.printed[0]


def test_a_worker_that_died_is_named(outcomes):
    printed = outcomes["kill -9 of a worker"].printed[0]
    assert "WorkerDiedError: Data worker" in printed
    assert "killed by SIGKILL" in printed


def test_nothing_half_written_is_left_and_the_last_two_stay(outcomes):
    for name, outcome in outcomes.items():
        names = {path.name for path in outcome.folder.iterdir()}
        assert not [name for name in names if name.startswith(".")]
        best = {"model_best.ckpt"} if name in (UNBROKEN_EVALUATED, IN_EVALUATION) else set()
        assert {name for name in names if name.endswith(".ckpt")} == best | {
            "model_final.ckpt",
            *("model_iter_0000009.ckpt", "model_iter_0000010.ckpt"),
        }


def test_the_checkpoint_and_the_log_say_what_the_run_was(outcomes):
    outcome = outcomes[UNBROKEN]
    extra, log = final(outcome).extra, (outcome.folder / "log.txt").read_text()
    assert "SEED: 0" in extra["config"]
    assert extra["device"] == "CPU"
    assert "test/faults/victim.py none 0" in extra["command"]
    for word in (extra["versions"]["mindspore"], extra["git"], extra["command"], "Running on CPU"):
        assert word in log
    assert "seed 0" in log
