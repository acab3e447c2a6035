"""Two processes against one that does the work of both."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from fastreid.data.pipeline.shards import Shard
from fastreid.engine.launch.job import make_job
from fastreid.engine.weight_average import WeightAverage
from fastreid.utils.precision_bn import update_bn_stats
from test.distributed import case
from test.distributed.emulation import Noise, TwoInOne, WholeBatches
from test.engine.toy import ToyModel, ToyNormModel, batch_of, randomize, tensors

ROOT = Path(__file__).parents[2]
# Half a unit in the last place of a float32. Two ways to compute the same differ by such roundings
# in every operation, which the network propagates.
ROUNDING = 6e-8
# The changes that relative changes of all pixels cause are the tolerance. A maximum at its kink
# turns one rounding into another gradient, but so seldom that a run may have none: these changes
# are larger, so that every run has some.
NOISE = 32 * ROUNDING
LEEWAY = 2
# Seeds of the changes.
DRAWS = (1, 2)

pytestmark = pytest.mark.slow


def write_images(folder):
    """Three images of each of nine people, distinguished by brightness, with noise."""
    rng = np.random.default_rng(0)
    for pid in range(9):
        for camid in range(3):
            pixels = rng.integers(0, 256, (40, 20, 3)) // 3 + 15 * pid
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{pid}_{camid}.png")


def start(folder, *machine):
    """Start the command of one machine."""
    return subprocess.Popen(
        [sys.executable, "-m", "test.distributed.program", str(folder), *machine],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The two processes of `program`, at work, and where."""
    folder = tmp_path_factory.mktemp("two")
    write_images(folder)
    command = start(folder)
    yield command, folder
    # Its ranks end with it.
    command.kill()
    command.communicate()


@pytest.fixture(scope="module")
def folder(command, emulation, whole):
    """What they left behind; one process did its own part meanwhile."""
    process, folder = command
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert "Rank 0 of 2" in printed
    assert "Rank 1 of 2" not in printed
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return [json.loads((folder / f"results_{rank}.json").read_text("utf-8")) for rank in (0, 1)]


def arrays(path):
    with np.load(path) as file:
        return dict(file)


class Found(NamedTuple):
    """What one process found, and what it finds where the pixels are a little different."""

    usual: Any
    changed: list


@pytest.fixture(scope="module")
def emulation(command):
    """Eight iterations of two processes by one, and the first gradients."""
    both = TwoInOne()
    usual = (*both.run(), both.first_gradients())
    noises = [Noise(NOISE, seed) for seed in DRAWS]
    return Found(usual, [(*both.run(noise), both.first_gradients(noise)) for noise in noises])


@pytest.fixture(scope="module")
def whole(command):
    """Iterations of one process on whole batches."""
    one = WholeBatches()
    return Found(one.run(), [one.run(Noise(NOISE, seed)) for seed in DRAWS])


def assert_as_near_as_rounding(found, usual, changed, start=None, *, leeway=LEEWAY):
    """Arrays differ from one process's by no more than its own do where pixels are rounded.

    Args:
        found: by name.
        usual: one process's, by the same names.
        changed: several of those, where the pixels are rounded otherwise.
        start: what to measure all from, so that they show what was learned.
        leeway: how many times as large the differences may be.
    """
    assert set(found) == set(usual)
    sizes = {n: np.linalg.norm(wanted - (start[n] if start else 0)) for n, wanted in usual.items()}
    strays = {n: root_mean_square(each[n] - usual[n] for each in changed) for n in usual}
    relative = np.median([strays[name] / size for name, size in sizes.items() if strays[name]])
    # The tolerance is small: a mean of other gradients, or an omitted step, exceeds it by far.
    assert relative < 1e-3
    for name, wanted in usual.items():
        error = np.linalg.norm(found[name] - wanted)
        # A few draws of one array's rounding can all be small by chance: that of the median array
        # counts at least.
        tolerance = max(strays[name], relative * sizes[name])
        # Every update also rounds the parameter: half a unit in its last place, at random.
        rounded = 2 * ROUNDING * np.linalg.norm(wanted)
        assert error <= leeway * tolerance + rounded, (name, error, tolerance, rounded, sizes[name])


def root_mean_square(differences):
    """The root of the mean square of the lengths of arrays."""
    return np.sqrt(np.mean([np.square(each).sum() for each in differences]))


def test_processes_have_their_ranks_and_exchange_messages(results):
    for rank, heard in enumerate(results):
        assert heard["numbers"] == [rank, rank, rank, 2]
        assert heard["gathered"] == [np.full((2, 3), r).tolist() for r in (0, 1)]
        assert heard["broadcast"] == np.full((2, 3), 5).tolist()
        assert heard["object"] == {"b": 1 / 3, "a": "of 0 é"}
        assert heard["parameters"] == [0.0]
    assert results[0]["refusal"] == ""
    assert results[1]["refusal"] == "Rank 1 has 1, rank 0 has 0: ranks differ"


def test_gradients_are_the_mean_of_those_of_the_two_halves(folder, emulation):
    found = [arrays(folder / f"seen_{rank}.npz") for rank in (0, 1)]
    assert case.bits(found[0]) == case.bits(found[1])
    changed = [gradients for *_, gradients in emulation.changed]
    assert_as_near_as_rounding(found[0], emulation.usual[2], changed)


def test_parameters_stay_bit_by_bit_the_same_and_statistics_are_each_processs_own(folder):
    first, second = (arrays(folder / f"weights_{rank}.npz") for rank in (0, 1))
    different = {name for name in first if case.bits(first)[name] != case.bits(second)[name]}
    # Those of `map` never move.
    moving = {name for name in first if ".moving_" in name and ".map." not in name}
    assert different == moving


def test_training_follows_one_process_that_does_the_work_of_two(folder, emulation):
    start = case.values(case.new_model(case.acl_cfg()))
    for rank in (0, 1):
        found = arrays(folder / f"weights_{rank}.npz")
        changed = [weights[rank] for _, weights, _ in emulation.changed]
        assert_as_near_as_rounding(found, emulation.usual[1][rank], changed, start)


@pytest.mark.parametrize(("kind", "iteration"), [("basic", 8), ("meta", 9)])
def test_a_number_that_is_not_finite_on_one_rank_stops_all_before_the_update(
    results, kind, iteration
):
    said, finite, learned = zip(*(each["not finite"][kind] for each in results))
    for rank, message in enumerate(said):
        assert f"the {kind} step at iteration {iteration} is not finite: " in message
        assert f"The batch (rank {rank}'s part): " in message
    assert learned[0] == learned[1]
    assert finite == (True, True)


def test_logged_losses_are_means_over_the_processes(results, emulation):
    assert results[0]["losses"] == results[1]["losses"]
    changed = [losses for losses, *_ in emulation.changed]
    strays = np.abs(np.subtract(changed, emulation.usual[0])).max()
    allowed = LEEWAY * strays + 1e-6
    np.testing.assert_allclose(results[0]["losses"], emulation.usual[0], rtol=0, atol=allowed)


def test_norms_over_processes_make_two_train_as_one_on_the_whole_batch(folder, results, whole):
    first, second = (arrays(folder / f"sync_{rank}.npz") for rank in (0, 1))
    # Running statistics, too.
    assert case.bits(first) == case.bits(second)
    start = case.values(case.new_model(case.sync_cfg()))
    changed = [weights for _, weights in whole.changed]
    assert_as_near_as_rounding(first, whole.usual[1], changed, start)
    np.testing.assert_allclose(results[0]["sync losses"], whole.usual[0], rtol=1e-4)


def test_accumulated_gradients_of_two_processes_are_those_of_the_whole_batch(results):
    model = randomize(ToyModel())
    average = WeightAverage(model, momentum=0.5)
    average.start()
    parts = case.WORLD_SIZE * case.PARTS
    step = case.step_in_parts(model, parts)
    for number in range(3):
        step(*tensors(batch_of(number, rows=case.PART_ROWS * parts)))
        average.update()
    weights = case.values(model)
    with average.applied():
        averages = case.values(model)
    assert results[0]["in parts"] == results[1]["in parts"]
    for found, wanted in zip(results[0]["in parts"], (weights, averages)):
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_precise_statistics_are_means_over_the_batches_of_all_processes(results):
    model = randomize(ToyNormModel())
    update_bn_stats(model, [batch_of(number) for number in range(4)], 4)
    assert results[0]["precise"] == results[1]["precise"]
    for name, value in case.values(model).items():
        found = results[0]["precise"][name]
        np.testing.assert_allclose(found, value, rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("key", "count"), [("scores", 27), ("scores of one batch", 3)])
def test_scores_of_two_processes_are_those_of_one(folder, results, key, count):
    items = [item for item in case.read_items(folder) if count > 3 or item[1] < 1]
    assert len(items) == count
    alone = case.evaluate(items, Shard())
    assert set(alone) >= {"Rank-1", "mAP", "mINP", "metric", "TPR@FPR=1e-03"}
    assert results[0][key] == results[1][key] == dict(alone)
    assert list(results[1][key]) == list(alone)


def test_every_rank_keeps_a_log(folder):
    for rank in (0, 1):
        text = (folder / "log" / f"rank_{rank}.txt").read_text(encoding="utf-8")
        assert f"Rank {rank} of 2" in text
    assert not (folder / "log.txt").exists()


def test_two_machines_do_what_one_does(folder, results, tmp_path):
    write_images(tmp_path)
    url = make_job(1, 1, 0, "auto")
    commands = [start(tmp_path, str(m), f"tcp://{url.host}:{url.port}") for m in (0, 1)]
    try:
        printed = [command.communicate(timeout=300)[0] for command in commands]
    finally:
        for command in commands:
            command.kill()
            command.communicate()
    assert [command.returncode for command in commands] == [0, 0], printed
    assert "Rank 0 of 2" in printed[0]
    assert printed[1] == ""
    for rank, wanted in enumerate(results):
        found = json.loads((tmp_path / f"results_{rank}.json").read_text("utf-8"))
        # The device is the first of the rank's own machine.
        assert found.pop("numbers") == [rank, rank, 0, 2]
        assert len(found) > 5
        assert found == {key: wanted[key] for key in found}
