import numpy as np
import pytest
import torch

from fastreid.engine import MetaTrainer
from fastreid.engine.meta_trainer import concatenate
from fastreid.engine.steps.device_memory import release
from fastreid.engine.steps.loss_scale import LossScale
from fastreid.engine.steps.meta_steps import MetaSteps, PhaseForwards
from fastreid.engine.steps.statistics_watch import StatisticsWatch
from fastreid.engine.steps.train_step import LossForward
from fastreid.layers import running_statistics
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from fastreid.utils.events import EventStorage
from test.engine.toy import PowerLosses, ToyMetaModel, batch_of, changed, randomize, values

RATE, ADAPTOR_FACTOR = 0.04, 0.5


def meta_trainer(model, *, trainer_of=MetaTrainer, loss_scale=None, **options):
    settings = {
        "domain_loaders": [[batch_of(10 + d, domain=d)] * 20 for d in range(3)],
        "log_period": 100,
        "period": 3,
        "first_basic_steps": 10,
        "seed": 0,
        **options,
    }
    parameters = tuple(model.trainable_params())
    forwards = PhaseForwards(*(LossForward(model, PowerLosses(power)) for power in (2, 2, 4)))
    shared = {
        "optimizers": [SGD([ParamGroup(parameters, 0.1, 0.0)], momentum=0.9)],
        "clipper": GradientClipper(),
        "loss_scale": loss_scale,
        "watch": StatisticsWatch(running_statistics(model)),
    }
    meta_steps = MetaSteps(
        forwards,
        meta_optimizer=SGD([ParamGroup(parameters, RATE, 0.0)]),
        adaptor_lr_factor=ADAPTOR_FACTOR,
        **shared,
    )
    batches = [batch_of(i) for i in range(100)]
    return trainer_of(
        model, batches, meta_steps=meta_steps, forward=forwards.basic, **shared, **settings
    )


@pytest.fixture
def model():
    return randomize(ToyMetaModel())


def torch_gradients(weights, batch, power):
    """Losses and gradients of the toy model under its batch statistics, in float64."""
    leaves = {
        k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in weights.items()
    }
    x = torch.nn.functional.conv2d(torch.tensor(batch["images"]).double(), leaves["conv.weight"])
    x = torch.nn.functional.batch_norm(
        x, None, None, leaves["norm.gamma"], leaves["norm.beta"], training=True, eps=1e-5
    )
    logits = x.relu().mean((2, 3)) @ leaves["adaptor.weight"].T @ leaves["plain.weight"].T
    wanted = torch.nn.functional.one_hot(torch.tensor(batch["targets"]).long(), 2)
    losses = [((logits - wanted) ** 2).mean(), 0.1 * (logits**power).mean()]
    sum(losses).backward()
    gradients = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
    return [loss.item() for loss in losses], gradients


def meta_step_by_hand(model, seen, held_out):
    """Both phases' losses, and g1 + g2 with g2 taken at theta'."""
    theta = {p.name: p.asnumpy().astype(np.float64) for p in model.trainable_params()}
    factors = {name: 1.0 for name in theta}
    factors["adaptor.weight"], factors["plain.weight"] = ADAPTOR_FACTOR, 0.0
    seen_losses, inner = torch_gradients(theta, seen, 2)
    moved = {name: value - RATE * factors[name] * inner[name] for name, value in theta.items()}
    held_losses, outer = torch_gradients(moved, held_out, 4)
    return seen_losses + held_losses, {name: inner[name] + outer[name] for name in theta}


def test_a_meta_step_applies_both_gradients_the_second_taken_after_the_inner_step(mode, model):
    trainer = meta_trainer(model)
    seen, held_out = batch_of(1, rows=6), batch_of(2)
    for _ in range(2):
        losses, gradients = meta_step_by_hand(model, seen, held_out)
        before = values(model)
        record = trainer.meta_update(seen, held_out)
        got = np.concatenate([part.asnumpy() for part in record.losses])
        np.testing.assert_allclose(got, losses, rtol=1e-4)
        for name, gradient in gradients.items():
            want = before[name] - RATE * gradient
            np.testing.assert_allclose(values(model)[name], want, rtol=1e-4, atol=2e-5)
        assert changed(model, before) == set(gradients), "running statistics are held"


def test_weights_and_statistics_are_restored_bit_by_bit_before_the_update(mode, model):
    trainer = meta_trainer(model)
    before = values(model)
    trainer.meta_gradients(batch_of(1), batch_of(2))
    assert changed(model, before) == set()


def test_the_inner_step_moves_meta_cells_and_adaptors_at_half_the_rate(model):
    trainer = meta_trainer(model)
    steps = trainer.meta_steps
    assert dict(zip([p.name for p in steps.inner_parameters], steps.inner_factors)) == {
        "conv.weight": 1.0,
        "norm.gamma": 1.0,
        "norm.beta": 1.0,
        "adaptor.weight": ADAPTOR_FACTOR,
    }


def test_weights_come_back_after_an_error_in_the_second_phase(model):
    trainer = meta_trainer(model)
    before = values(model)
    no_images = {**batch_of(2), "images": None}
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        trainer.meta_update(batch_of(1), no_images)
    assert changed(model, before) == set()
    assert not model.norm.hold


def test_meta_steps_leave_the_basic_momentum_alone(model):
    trainer = meta_trainer(model)
    with EventStorage():
        trainer.basic_step()
        state = trainer.optimizers[0].state_dict()
        trainer.meta_step(1)
    for name, value in trainer.optimizers[0].state_dict().items():
        np.testing.assert_array_equal(value, state[name])


@pytest.mark.parametrize("enabled", [False, True])
def test_the_trainer_lists_its_optimizers_and_the_states_for_checkpoints(model, enabled):
    trainer = meta_trainer(model, loss_scale=LossScale(enabled=enabled))
    assert list(trainer.named_optimizers) == ["optimizer", "meta_optimizer"]
    assert trainer.named_optimizers["meta_optimizer"] is trainer.meta_optimizer
    states = ["optimizer", "meta_optimizer", "loss_scale"]
    assert list(trainer.checkpointables) == states[: 2 + enabled]


def test_basic_steps_go_on_moving_the_statistics_after_a_meta_step(mode, model):
    trainer = meta_trainer(model)
    with EventStorage():
        trainer.basic_step()
        trainer.meta_step(0)
        before = values(model)
        trainer.basic_step()
    assert "norm.moving_mean" in changed(model, before)


@pytest.mark.parametrize("broken", ["seen", "held out"])
def test_a_meta_step_that_is_not_finite_changes_no_weight_and_is_reported(model, broken):
    loaders = [
        [batch_of(20 + d, domain=d, broken=(d == 2) == (broken == "held out"))] for d in range(3)
    ]
    trainer = meta_trainer(model, domain_loaders=loaders)
    trainer.iter = 6
    before = values(model)
    with EventStorage():
        trainer.meta_step(2)
    assert changed(model, before) <= {"norm.moving_mean", "norm.moving_variance"}
    message = (
        r"meta step at iteration 6 is not finite: .*loss_power=.*batch20_0\.jpg.*batch22_3\.jpg"
    )
    with EventStorage(), pytest.raises(FloatingPointError, match=message):
        trainer.finish()


def test_the_seen_batch_is_the_other_domains_in_ascending_order(model):
    loaders = [[batch_of(10 * d + k, domain=d) for k in range(2)] for d in range(3)]
    trainer, calls = meta_trainer(model, domain_loaders=loaders), []

    def note(seen, held_out):
        calls.append((seen["img_paths"].tolist(), held_out["img_paths"].tolist()))

    trainer.meta_update = note
    # No losses are written in this iteration.
    trainer.iter = 3
    with EventStorage():
        trainer.meta_step(1)
        trainer.meta_step(0)

    def paths(*seeds):
        return [f"batch{seed}_{i}.jpg" for seed in seeds for i in range(4)]

    assert calls == [(paths(0, 20), paths(10)), (paths(11, 21), paths(1))]


def test_batches_are_joined_column_by_column():
    joined = concatenate([batch_of(0, domain=2), batch_of(1, rows=2, domain=0)])
    assert joined["images"].shape == (6, 3, 2, 2)
    assert joined["domainids"].tolist() == [2, 2, 2, 2, 0, 0]
    assert joined["targets"].dtype == np.int32


class Schedule(MetaTrainer):
    """Lists its steps and takes none."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.done = []

    def basic_step(self):
        self.done.append((self.iter, "basic"))

    def meta_step(self, held_out):
        self.done.append((self.iter, held_out))


def steps_of(model, iterations, **options):
    trainer = meta_trainer(model, trainer_of=Schedule, **options)
    trainer.train(0, iterations, 100)
    return trainer, trainer.done


@pytest.mark.parametrize(("period", "metas"), [(3, [0, 3, 6]), (1, list(range(7))), (0, [])])
def test_meta_steps_come_every_period_after_that_iterations_basic_steps(model, period, metas):
    trainer, done = steps_of(model, 7, period=period, first_basic_steps=4)
    expected = []
    for iteration in range(7):
        expected += [(iteration, "basic")] * (4 if iteration == 0 else 1)
        if iteration in metas:
            expected.append((iteration, trainer.held_out_domain(iteration)))
    assert done == expected


def test_a_resumed_run_does_not_repeat_the_first_basic_steps(model):
    trainer = meta_trainer(model, trainer_of=Schedule)
    trainer.train(4, 6, 100)
    assert trainer.done == [(4, "basic"), (5, "basic")]


def test_the_held_out_domain_is_a_function_of_seed_and_iteration(model):
    first, second, other = (meta_trainer(model, seed=seed) for seed in (0, 0, 1))
    draws = [first.held_out_domain(i) for i in range(50)]
    assert draws == [second.held_out_domain(i) for i in range(50)]
    assert draws == [first.held_out_domain(i) for i in range(50)]
    assert draws != [other.held_out_domain(i) for i in range(50)]


def test_the_held_out_domain_is_drawn_uniformly(model):
    trainer = meta_trainer(model)
    counts = np.bincount([trainer.held_out_domain(3 * i) for i in range(3000)], minlength=3)
    # Five standard deviations of a fair draw.
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)
    assert len(counts) == 3


def test_gradients_that_were_released_come_out_the_same_again(model):
    trainer = meta_trainer(model)
    first = None
    for _ in range(3):
        results = trainer.meta_gradients(batch_of(1), batch_of(2))
        gradients = results.seen.gradients + results.held_out.gradients
        found = [gradient.asnumpy().copy() for gradient in gradients]
        release(gradients)
        first = first or found
        for one, other in zip(first, found):
            np.testing.assert_array_equal(one, other)
