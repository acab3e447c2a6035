"""Checks of a few training steps of plain networks, in golden files of kind "fastreid" with steps.

Both sides take steps of momentum SGD, without weight decay, on the first golden batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from mindspore import Tensor, nn

from fastreid.engine.steps.train_step import LossForward, TrainStep
from fastreid.solver import SGD, ParamGroup
from fastreid.solver.clip import GradientClipper
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.golden import (
    Check,
    GoldenFile,
    check_buffers,
    check_same_names,
    compare,
    exactly,
    fill,
    summaries,
)
from test.golden.golden_inputs import basic_batch

# Allowed multiple of the original's error in float32, and the error that is always allowed; see
# "losses of steps 1 to 11" and "change of the parameters" in docs/alignment.md.
LOSS_STRAY, LOSS_FLOOR, DELTA_MEDIAN = 10, 2e-4, 0.2


def check_steps(golden: GoldenFile, model: nn.Cell) -> Iterator[Check]:
    """Losses of each step, how far parameters moved, statistics and the memory of a MoCo."""
    fill(model, golden.seed)
    start = export_weights(model)
    learning_rate, momentum = golden.truth("steps.solver")
    optimizer = SGD(
        [ParamGroup(tuple(model.trainable_params()), float(learning_rate), 0.0)],
        momentum=float(momentum),
    )
    forward = LossForward(model, model.criterion())
    step = TrainStep(forward, [optimizer], GradientClipper()).set_train()
    rows = []
    for number in range(len(golden.truth("steps.losses"))):
        images, targets, _ = basic_batch(number, golden.size, golden.seed)
        classes = Tensor(targets.astype(np.int32))
        rows.append(step(Tensor(images), classes, classes * 0)[0].asnumpy())
    yield from _check_losses(golden, forward.names, np.array(rows))
    weights = export_weights(model)
    yield from _check_deltas(golden, {name: weights[name] - start[name] for name in weights})
    yield from check_buffers(golden, "steps.buffers", weights)
    yield from _check_memory(golden, weights)


def _check_losses(golden: GoldenFile, names: tuple[str, ...], rows: np.ndarray) -> Iterator[Check]:
    theirs = golden.strings("steps.loss_names")
    yield check_same_names("steps.loss_names", set(names), set(theirs))
    truth, float32 = golden.truth("steps.losses"), golden.float32("steps.losses")
    # Errors grow from step to step; an error near zero does not measure rounding.
    strays = np.maximum.accumulate(np.abs(float32 - truth))
    for column, name in enumerate(theirs):
        if name not in names:
            continue
        errors = np.abs(rows[:, names.index(name)] - truth[:, column])
        scale = max(1.0, float(np.abs(truth[:, column]).max()))
        limits = LOSS_STRAY * strays[:, column] + LOSS_FLOOR * scale
        worst = int(np.argmax(np.nan_to_num(errors / limits, nan=np.inf)))
        numbers = (float(each[worst]) for each in (errors, strays[:, column], limits))
        yield Check(f"steps.{name}", *numbers, note=f"step {worst + 1}")


def _check_deltas(golden: GoldenFile, deltas: Mapping[str, np.ndarray]) -> Iterator[Check]:
    names = golden.strings("steps.delta.names")
    yield exactly("steps.delta.names", [name for name in names if name not in deltas])
    kept = [place for place, name in enumerate(names) if name in deltas]
    ours = summaries(deltas, [names[place] for place in kept], golden.seed)[:, 0]
    truth, float32 = (
        each[kept, 0] for each in (golden.truth("steps.delta"), golden.float32("steps.delta"))
    )
    moved = truth > 1e-6 * truth.max()
    error, original = (
        float(np.median(np.abs(each - truth)[moved] / truth[moved])) for each in (ours, float32)
    )
    yield Check("steps.delta median", error, original, DELTA_MEDIAN)


def _check_memory(golden: GoldenFile, weights: Mapping[str, np.ndarray]) -> Iterator[Check]:
    for name in golden.keys("steps.memory."):
        truth, own = golden.truth(name), name[len("steps.") :]
        if name.endswith(".queue"):
            original = float(np.abs(golden.float32(name) - truth).max())
            check = compare(name, summaries(weights, [own], golden.seed), truth, original)
            yield check._replace(allowance=LOSS_STRAY * original + LOSS_FLOOR * np.abs(truth).max())
        else:
            yield exactly(name, np.argwhere(weights[own] != truth).tolist())
