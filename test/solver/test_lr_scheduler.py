import math
from pathlib import Path

import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.solver import build_lr_scheduler
from fastreid.solver.lr_scheduler import EpochSteps, Warmup, WarmupMultiStepLR

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def plain_cfg(**solver):
    cfg = get_cfg()
    values = {
        "MAX_EPOCH": 12,
        "BASE_LR": 0.2,
        "WARMUP_FACTOR": 0.1,
        "WARMUP_ITERS": 7,
        "STEPS": [3, 6],
        "ETA_MIN_LR": 0.001,
        **solver,
    }
    for key, value in values.items():
        setattr(cfg.SOLVER, key, value)
    return cfg


def warmup_factor(solver, iteration):
    if iteration >= solver.WARMUP_ITERS:
        return 1.0
    share = iteration / solver.WARMUP_ITERS
    return {
        "linear": solver.WARMUP_FACTOR * (1 - share) + share,
        "constant": solver.WARMUP_FACTOR,
        "exp": solver.WARMUP_FACTOR ** (1 - share),
    }[solver.WARMUP_METHOD]


def simulate(cfg, iters_per_epoch):
    """fast-reid's two schedulers, stepped one after the other as its hook steps them.

    The warm-up steps after every iteration up to its end and sets the rate from the base; the
    other steps after an epoch, once warm-up epochs and delay are behind, and changes the rate.
    """
    solver = cfg.SOLVER
    warmup_epochs = math.ceil(solver.WARMUP_ITERS / iters_per_epoch)
    t_max = solver.MAX_EPOCH - max(warmup_epochs, solver.DELAY_EPOCHS)
    rate, steps, rates = solver.BASE_LR * warmup_factor(solver, 0), 0, []
    for iteration in range(solver.MAX_EPOCH * iters_per_epoch):
        rates.append(rate)
        done = iteration + 1
        if done <= solver.WARMUP_ITERS:
            rate = solver.BASE_LR * warmup_factor(solver, done)
        epochs_done, rest = divmod(done, iters_per_epoch)
        if rest == 0 and done >= solver.WARMUP_ITERS and epochs_done > solver.DELAY_EPOCHS:
            steps += 1
            if solver.SCHED == "MultiStepLR":
                rate *= solver.GAMMA ** solver.STEPS.count(steps)
            else:
                cosine = (1 + math.cos(math.pi * steps / t_max)) / 2
                rate = solver.ETA_MIN_LR + (solver.BASE_LR - solver.ETA_MIN_LR) * cosine
    return rates


@pytest.mark.parametrize("sched", ["MultiStepLR", "CosineAnnealingLR"])
@pytest.mark.parametrize("warmup_iters", [0, 3, 7, 10])
@pytest.mark.parametrize("delay", [0, 4])
@pytest.mark.parametrize("method", ["linear", "constant", "exp"])
def test_rates_of_plain_configs_follow_a_step_by_step_simulation(
    sched, warmup_iters, delay, method
):
    cfg = plain_cfg(
        SCHED=sched, WARMUP_ITERS=warmup_iters, DELAY_EPOCHS=delay, WARMUP_METHOD=method
    )
    schedule = build_lr_scheduler(cfg, iters_per_epoch=5)
    got = [schedule.rate(iteration, 0.2) for iteration in range(60)]
    np.testing.assert_allclose(got, simulate(cfg, 5), rtol=1e-9)


def test_warm_up_by_hand():
    warmup = Warmup(4, 0.2, "linear")
    assert [warmup.factor_at(i) for i in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert Warmup(0, 0.2, "linear").factor_at(0) == 1


def test_a_repeated_milestone_falls_twice():
    schedule = WarmupMultiStepLR(
        Warmup(0, 1.0, "linear"), steps=EpochSteps(2, 1), milestones=[1, 1], gamma=0.1
    )
    assert [schedule.rate(i, 1.0) for i in range(4)] == pytest.approx([1, 1, 0.01, 0.01])


def test_every_group_follows_from_its_own_base_rate():
    schedule = build_lr_scheduler(plain_cfg(), iters_per_epoch=5)
    for iteration in range(60):
        ratio = schedule.rate(iteration, 0.6) / schedule.rate(iteration, 0.2)
        assert ratio == pytest.approx(3)
