"""Two processes against one that does the work of both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from fastreid.data.shares import Place
from fastreid.engine.job import make_job
from fastreid.engine.train_step import GradientStep, InnerUpdate, SummedUpdate
from fastreid.layers import held_statistics
from fastreid.modeling import meta_parameters
from fastreid.solver.clip import GradientClipper
from fastreid.utils.parameters import restored

from ..engine.toy import tensors
from . import case

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def write_images(folder):
    """Three images of each of nine people, told apart by brightness, within noise."""
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
def folder(tmp_path_factory):
    """What the two processes of `program` left behind."""
    folder = tmp_path_factory.mktemp("two")
    write_images(folder)
    command = start(folder)
    printed, _ = command.communicate(timeout=300)
    assert command.returncode == 0, printed
    assert "Rank 0 of 2" in printed
    assert "Rank 1 of 2" not in printed
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return [json.loads((folder / f"results_{rank}.json").read_text("utf-8")) for rank in (0, 1)]


def arrays(path):
    with np.load(path) as file:
        return dict(file)


class TwoInOne:
    """One process that does a step of two: a model for each, and the means of their gradients."""

    def __init__(self):
        self.models = [case.new_model() for _ in range(case.WORLD_SIZE)]
        forwards = [case.forwards(model) for model in self.models]
        self.steps = [
            [
                GradientStep(forward, list(model.trainable_params()))
                for model, forward in zip(self.models, each)
            ]
            for each in zip(*forwards)
        ]
        self.optimizers, self.outer, self.inner = [], [], []
        for model in self.models:
            basic, meta = case.optimizers(model)
            movable = {id(parameter) for parameter in meta_parameters(model)}
            factors = [
                (0.5 if "adaptor" in p.name else 1.0) if id(p) in movable else 0.0
                for p in meta.parameters
            ]
            self.optimizers.append(basic)
            self.inner.append(InnerUpdate(meta.parameters, factors))
            self.outer.append(SummedUpdate(meta, GradientClipper("norm", 0.5)))

    def means(self, steps, batches):
        """Mean losses and gradients of the processes' parts."""
        found = []
        for step, batch in zip(steps, batches):
            step.set_train(True)
            losses, _, gradients, _ = step(*tensors(batch))
            found.append([losses.asnumpy(), *(g.asnumpy() for g in gradients)])
        losses, *gradients = [np.mean(each, axis=0, dtype=np.float32) for each in zip(*found)]
        return losses, tuple(ms.Tensor(gradient) for gradient in gradients)

    def basic_step(self, number):
        parts = [case.basic_batch(number, rank) for rank in range(case.WORLD_SIZE)]
        losses, gradients = self.means(self.steps[0], parts)
        for optimizer in self.optimizers:
            optimizer(GradientClipper("norm", 0.5)(gradients))
        return float(losses.sum())

    def meta_step(self, number):
        tested = case.held_out(number)
        seen, held = [], []
        for rank in range(case.WORLD_SIZE):
            batches = [case.domain_batch(d, number, rank) for d in range(case.NUM_DOMAINS)]
            rest = [b for d, b in enumerate(batches) if d != tested and len(b["targets"])]
            seen.append({name: np.concatenate([b[name] for b in rest]) for name in rest[0]})
            held.append(batches[tested])
        with held_statistics(self.models[0]), held_statistics(self.models[1]):
            seen_losses, inner = self.means(self.steps[1], seen)
            parameters = [p for model in self.models for p in model.trainable_params()]
            with restored(parameters):
                for update in self.inner:
                    update(inner, ms.Tensor(case.RATE, ms.float32), ms.Tensor(True))
                held_losses, outer = self.means(self.steps[2], held)
        losses = (ms.Tensor(seen_losses), ms.Tensor(held_losses))
        for update in self.outer:
            update(inner, outer, losses, (ms.Tensor(True), ms.Tensor(True)))

    def run(self):
        totals = []
        for iteration in range(case.ITERATIONS):
            totals.append(self.basic_step(iteration))
            if iteration % case.PERIOD == 0:
                self.meta_step(iteration // case.PERIOD)
        return totals


@pytest.fixture(scope="module")
def emulation():
    both = TwoInOne()
    return both, both.run()


def test_processes_know_who_they_are_and_hear_each_other(results):
    for rank, heard in enumerate(results):
        assert heard["numbers"] == [rank, rank, rank, 2]
        assert heard["gathered"] == [np.full((2, 3), r).tolist() for r in (0, 1)]
        assert heard["broadcast"] == np.full((2, 3), 5).tolist()
        assert heard["object"] == {"b": 1 / 3, "a": "of 0 é"}
        assert heard["parameters"] == [0.0]
    assert results[0]["refusal"] == ""
    assert results[1]["refusal"] == "Rank 1 has 1, rank 0 has 0: ranks differ"


def test_gradients_are_the_mean_of_those_of_the_two_halves(folder):
    losses, gradients = TwoInOne().means(
        TwoInOne().steps[0], [case.basic_batch(0, rank) for rank in (0, 1)]
    )
    found = [arrays(folder / f"gradient_{rank}.npz") for rank in (0, 1)]
    assert case.bits(found[0]) == case.bits(found[1])
    names = [parameter.name for parameter in case.new_model().trainable_params()]
    assert set(found[0]) == {"losses", *names}
    # One sum of two float32 numbers and a division by two: nothing to round differently.
    np.testing.assert_array_equal(found[0]["losses"], losses)
    for name, gradient in zip(names, gradients):
        np.testing.assert_allclose(found[0][name], gradient.asnumpy(), rtol=1e-6, atol=1e-8)


def test_parameters_stay_bit_by_bit_the_same_and_statistics_are_each_processs_own(folder):
    first, second = (arrays(folder / f"weights_{rank}.npz") for rank in (0, 1))
    different = {name for name in first if case.bits(first)[name] != case.bits(second)[name]}
    assert different == {"norm.moving_mean", "norm.moving_variance"}


def test_training_follows_one_process_that_does_the_work_of_two(folder, emulation):
    both, _ = emulation
    for rank, model in enumerate(both.models):
        found = arrays(folder / f"weights_{rank}.npz")
        start = case.values(case.new_model())
        for name, wanted in case.values(model).items():
            # What eight iterations moved, with float32 rounding carried through all of them.
            moved = np.abs(wanted - start[name]).max()
            assert moved > 0
            assert np.abs(found[name] - wanted).max() <= 1e-5 * moved, name


@pytest.mark.parametrize(("kind", "iteration"), [("basic", 1), ("meta", 3)])
def test_a_number_that_is_not_finite_on_one_rank_stops_all_before_the_update(
    results, kind, iteration
):
    said, learned = zip(*(each[f"not finite: {kind}"] for each in results))
    for rank, message in enumerate(said):
        assert f"the {kind} step at iteration {iteration} is not finite: " in message
        assert f"The batch (rank {rank}'s part): " in message
    assert learned[0] == learned[1]
    assert np.isfinite([x for value in learned[0].values() for x in np.ravel(value)]).all()


def test_logged_losses_are_means_over_the_processes(results, emulation):
    _, totals = emulation
    assert results[0]["losses"] == results[1]["losses"]
    np.testing.assert_allclose(results[0]["losses"], totals, rtol=1e-5)


@pytest.mark.parametrize(("key", "count"), [("scores", 27), ("scores of one batch", 3)])
def test_scores_of_two_processes_are_those_of_one(folder, results, key, count):
    items = [item for item in case.read_items(folder) if count > 3 or item[1] < 1]
    assert len(items) == count
    alone = case.evaluate(items, Place())
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
    printed = [command.communicate(timeout=300)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], printed
    assert "Rank 0 of 2" in printed[0]
    assert printed[1] == ""
    for rank, wanted in enumerate(results):
        found = json.loads((tmp_path / f"results_{rank}.json").read_text("utf-8"))
        # The device is the first of the rank's own machine.
        assert found.pop("numbers") == [rank, rank, 0, 2]
        assert len(found) > 5
        assert found == {key: wanted[key] for key in found}
        weights = arrays(tmp_path / f"weights_{rank}.npz")
        assert case.bits(weights) == case.bits(arrays(folder / f"weights_{rank}.npz"))
