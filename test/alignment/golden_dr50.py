"""Checks of golden files of kind "dr50": ACL's whole network, one step of each kind, training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mindspore import Tensor

from fastreid.engine.meta_trainer import MetaTrainer, concatenate
from fastreid.engine.steps.results import GradientResult
from fastreid.modeling import build_model
from fastreid.modeling.meta_arch.baseline import standardise
from fastreid.solver.build import warmup_iters
from fastreid.solver.lr_scheduler import Warmup
from fastreid.utils.checkpoint.names import export_weights, to_torch_name
from fastreid.utils.events import EventStorage
from test.alignment.golden import (
    Check,
    GoldenFile,
    check_buffers,
    check_gradients,
    check_same_names,
    check_unreached,
    check_values,
    compare,
    exactly,
    fill,
    golden_config,
    summaries,
)
from test.alignment.golden_training import golden_batch, golden_trainer, set_rate
from test.golden.golden_inputs import NUM_CLASSES, basic_batch, domain_batch

CONFIG = "bagtricks_DR50_mix.yml"
# The cells map1 to map4 do not run, see docs/fidelity.md.
NOT_RUN = ".map"
META_TEST_DOMAIN = 1
# The trajectory: iterations of four an epoch, the first of ten basic steps, meta steps at 0 and 3.
STEP_ITERATIONS = [0] * 11 + [1, 2, 3, 3, 4]
HELD_OUT = [1, 2]
# Rounding errors grow from step to step: larger errors are allowed after the first meta step.
EARLY_STEPS = 11
EARLY_FLOOR, LATE_FLOOR, LOSS_STRAY = 2e-4, 5e-2, 10
DELTA_MEDIAN, COSINE_LOSS = 0.2, 0.02


class Dr50Checks:
    """All checks of one file; each section starts from fresh golden weights.

    Args:
        golden: a file of kind "dr50".
    """

    def __init__(self, golden: GoldenFile) -> None:
        self.golden = golden
        self.cfg = golden_config(golden, CONFIG, CLASSES_PER_DOMAIN=list(NUM_CLASSES))
        self.model = build_model(self.cfg)
        self.trainer = golden_trainer(self.cfg, self.model)
        self.sections = {
            "eval": self.evaluation,
            "basic": self.basic_step,
            "meta": self.meta_step,
            "traj": self.trajectory,
        }

    def _features(self, step: int) -> np.ndarray:
        images, _, _ = basic_batch(step, self.golden.size, self.golden.seed)
        return self.model.set_train(False)(Tensor(images)).asnumpy()

    def evaluation(self) -> Iterator[Check]:
        """Features, routers' weights, the mean of the backbone's output."""
        model, golden = self.model, self.golden
        fill(model, golden.seed)
        yield check_values(golden, "eval.features", self._features(0))
        images, _, _ = basic_batch(0, golden.size, golden.seed)
        pixels = standardise(Tensor(images), model.pixel_mean, model.pixel_std)
        maps, paths = model.backbone.set_train(False)(pixels)
        yield check_values(golden, "eval.router_weights", paths.asnumpy())
        yield check_values(golden, "eval.backbone_mean", maps.asnumpy().mean((2, 3)))

    def basic_step(self) -> Iterator[Check]:
        """Losses, gradients and running statistics of one mixed batch."""
        model, golden = self.model, self.golden
        fill(model, golden.seed)
        batch = golden_batch(basic_batch(0, golden.size, golden.seed))
        losses, _, _, gradients = self.trainer.basic_gradients(batch)
        named = dict(zip(self.trainer.forward.names, losses.asnumpy()))
        yield from _check_losses(golden, "basic.loss.", named)
        yield check_values(golden, "basic.total", losses.asnumpy().sum())
        parameters = self.trainer.optimizers[0].parameters
        arrays = {to_torch_name(p.name): g.asnumpy() for p, g in zip(parameters, gradients)}
        yield from check_gradients(golden, "basic.grad", arrays)
        weights = export_weights(model)
        yield check_unreached(golden, weights, arrays)
        yield from check_buffers(golden, "basic.buffers", weights, skip=NOT_RUN)

    def meta_step(self) -> Iterator[Check]:
        """Losses and the summed gradient of one meta step, which leaves the model as it was."""
        golden, trainer = self.golden, self.trainer
        fill(self.model, golden.seed)
        before = export_weights(self.model)
        batches = [
            golden_batch(domain_batch(d, 0, golden.size, golden.seed))
            for d in range(len(NUM_CLASSES))
        ]
        held_out = batches.pop(META_TEST_DOMAIN)
        set_rate(trainer.meta_optimizer, self.cfg, float(golden.truth("meta.lr")))
        yield check_values(golden, "meta.lr", trainer.meta_optimizer.learning_rates[0].asnumpy())
        inner, outer = trainer.meta_gradients(concatenate(batches), held_out)
        after = export_weights(self.model)
        changed = [name for name in before if not np.array_equal(before[name], after[name])]
        yield exactly("meta leaves the model as it was", changed)
        terms = _with_constant(_summed_terms(trainer, inner, outer), META_TEST_DOMAIN)
        yield from _check_losses(golden, "meta.loss_", _without(terms, "loss_"))
        yield check_values(golden, "meta.total_loss", np.float64(sum(terms.values())))
        gradients = {
            to_torch_name(parameter.name): a.asnumpy() + b.asnumpy()
            for parameter, a, b in zip(
                trainer.meta_optimizer.parameters, inner.gradients, outer.gradients
            )
        }
        yield from check_gradients(golden, "meta.grad", gradients)

    def trajectory(self) -> Iterator[Check]:
        """Sixteen steps of training, two of them meta steps."""
        golden, model = self.golden, self.model
        yield self._check_rates()
        fill(model, golden.seed)
        start = export_weights(model)
        yield from _check_loss_rows(golden, self._train())
        end = export_weights(model)
        parameters = [k for k in end if not k.endswith(("running_mean", "running_var"))]
        deltas = {name: end[name] - start[name] for name in parameters}
        yield from _check_deltas(golden, deltas)
        yield _check_cosines(golden, "traj.eval.features", self._features(99))

    def _check_rates(self) -> Check:
        """The warm-up of an epoch of four iterations; the file has no step at the epoch's end."""
        solver = self.cfg.SOLVER
        warmup = Warmup(warmup_iters(self.cfg, 4), solver.WARMUP_FACTOR, solver.WARMUP_METHOD)
        rates = [solver.BASE_LR * warmup.factor_at(iteration) for iteration in STEP_ITERATIONS]
        return check_values(self.golden, "traj.lr", np.array(rates))

    def _train(self) -> list[dict[str, float]]:
        """Take the steps; one row of losses each, as the original logs them."""
        golden, size, seed = self.golden, self.golden.size, self.golden.seed
        kinds = golden.truth("traj.kind").astype(bool)
        basic = [basic_batch(i, size, seed) for i in range(int((~kinds).sum()))]
        domains = [
            [domain_batch(d, k, size, seed) for k in range(len(HELD_OUT))]
            for d in range(len(NUM_CLASSES))
        ]
        trainer = golden_trainer(
            self.cfg,
            self.model,
            map(golden_batch, basic),
            [list(map(golden_batch, batches)) for batches in domains],
        )
        held_out = iter(HELD_OUT)
        with EventStorage():
            for is_meta, rate in zip(kinds, golden.truth("traj.lr")):
                for optimizer in (*trainer.optimizers, trainer.meta_optimizer):
                    set_rate(optimizer, self.cfg, float(rate))
                if is_meta:
                    domain = next(held_out)
                    trainer.meta_step(domain)
                    trainer.rows[-1] = _with_constant(trainer.rows[-1], domain)
                else:
                    trainer.basic_step()
        trainer.finish()
        return trainer.rows


def _summed_terms(
    trainer: MetaTrainer, inner: GradientResult, outer: GradientResult
) -> dict[str, float]:
    """Losses of a meta step by name, summed over its halves."""
    sums: dict[str, float] = {}
    values = np.concatenate([inner.losses.asnumpy(), outer.losses.asnumpy()])
    for name, value in zip(trainer.meta_steps.loss_names, values):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _with_constant(terms: dict[str, float], domain: int) -> dict[str, float]:
    """Add what the original adds: the id of the meta-test domain, see docs/fidelity.md."""
    return {**terms, "loss_domain_inter": terms["loss_domain_inter"] + domain}


def _without(terms: dict[str, float], prefix: str) -> dict[str, float]:
    return {name[len(prefix) :]: value for name, value in terms.items()}


def _check_losses(golden: GoldenFile, prefix: str, losses: dict[str, float]) -> Iterator[Check]:
    ours = {f"{prefix}{name}": value for name, value in losses.items()}
    theirs = golden.keys(prefix)
    yield check_same_names(f"{prefix}names", set(ours), set(theirs))
    for name in theirs:
        if name in ours:
            yield check_values(golden, name, ours[name])


def _check_loss_rows(golden: GoldenFile, rows: list[dict[str, float]]) -> Iterator[Check]:
    """Each loss of each step; of every loss the two stretches' steps nearest to their limits."""
    names = golden.strings("traj.loss_names")
    yield check_same_names("traj.loss_names", {name for row in rows for name in row}, set(names))
    ours = np.array([[row.get(name, np.nan) for name in names] for row in rows])
    truth, float32 = golden.truth("traj.losses"), golden.float32("traj.losses")
    pattern = np.argwhere(np.isnan(ours) != np.isnan(truth)).tolist()
    yield exactly("traj.losses present", pattern)
    if pattern:
        return
    errors, strays = np.abs(ours - truth), np.abs(float32 - truth)
    floors = np.where(np.arange(len(truth)) < EARLY_STEPS, EARLY_FLOOR, LATE_FLOOR)
    # Errors grow from step to step; an error near zero does not measure rounding.
    reached = np.maximum.accumulate(np.nan_to_num(strays))
    limits = LOSS_STRAY * reached + floors[:, np.newaxis]
    for column, name in enumerate(names):
        for label, steps in (
            ("steps 1-11", slice(0, EARLY_STEPS)),
            ("steps 12-16", slice(EARLY_STEPS, None)),
        ):
            share = (errors / limits)[steps, column]
            if np.isnan(share).all():
                continue
            step = int(np.nanargmax(share)) + steps.start
            numbers = (float(array[step, column]) for array in (errors, strays, limits))
            yield Check(f"traj.{name} {label}", *numbers, note=f"step {step + 1}")


def _check_deltas(golden: GoldenFile, deltas: dict[str, np.ndarray]) -> Iterator[Check]:
    """How far every parameter moved."""
    names = golden.strings("traj.delta.names")
    yield check_same_names("traj.delta.names", set(deltas), set(names))
    names = [name for name in names if name in deltas]
    kept = [i for i, name in enumerate(golden.strings("traj.delta.names")) if name in deltas]
    ours = summaries(deltas, names, golden.seed)[:, 0]
    truth, float32 = golden.truth("traj.delta")[kept, 0], golden.float32("traj.delta")[kept, 0]
    moved = truth > 0
    wrong = [name for name, a, b in zip(names, ours > 0, moved) if a != b]
    yield exactly("traj.delta moved or not", wrong)
    error, original = (
        float(np.median(np.abs(lengths[moved] - truth[moved]) / truth[moved]))
        for lengths in (ours, float32)
    )
    yield Check("traj.delta median", error, original, DELTA_MEDIAN)


def _check_cosines(golden: GoldenFile, name: str, features: np.ndarray) -> Check:
    """Directions of features, row by row; the numbers are 1 - cosine of the worst row."""
    truth = golden.truth(name)
    if features.shape != truth.shape:
        return compare(name, features, truth, 0.0)

    def loss(rows: np.ndarray) -> float:
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(truth, axis=1)
        return float(1 - ((rows * truth).sum(1) / lengths).min())

    return Check(f"{name} 1 - cosine", loss(features), loss(golden.float32(name)), COSINE_LOSS)
