"""Running statistics as plain means over batches, for the weights as they are.

In training the running statistics follow the weights with a delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from . import comm


class _StatisticsForward(nn.Cell):
    """The forward pass that updates running statistics and nothing else."""

    def __init__(self, model: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor) -> Any:
        """Run the model on (N, 3, H, W) images."""
        return self.model.run_for_statistics(images)


class _TrainingForward(nn.Cell):
    """The forward pass of a training step, of a model that declares no pass for statistics."""

    def __init__(self, model: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor) -> Any:
        """Run the model on (N, 3, H, W) images, as if all were of class 0."""
        return self.model.outputs(images, ops.zeros((images.shape[0],), ms.int32))


def get_bn_modules(model: nn.Cell) -> list[nn.Cell]:
    """List the norms of a model whose running statistics move in training.

    Args:
        model: any cell.

    Returns:
        The cells with `moving_mean`, `moving_variance` and a `momentum` above 0, in order.
    """
    cells = [cell for _, cell in model.cells_and_names() if hasattr(cell, "moving_variance")]
    return [cell for cell in cells if getattr(cell, "momentum", 0) > 0]


def update_bn_stats(model: nn.Cell, data_loader: Iterable[dict], num_iters: int = 200) -> None:
    """Set all running statistics to the means of the batch statistics, with fixed weights.

    The variance is the mean of the unbiased variances of the batches. Norms that do not run, or
    run on their running statistics, keep theirs. With several processes, all of them must call
    this; each has batches of its own, and all get the means over all batches.

    Args:
        model: gives ``run_for_statistics(images)``, as `Baseline` does, or else
            ``outputs(images, targets)``, without other effects; it is left in evaluation mode.
        data_loader: batches with images (N, 3, H, W) float32, all of one shape.
        num_iters: number of batches of each process.

    Raises:
        ValueError: the number of batches is not positive, or the loader has fewer.
    """
    if num_iters < 1:
        raise ValueError(f"The number of batches is {num_iters}; it must be at least 1.")
    norms = get_bn_modules(model)
    if not norms:
        return
    kept = np.concatenate([np.full(2 * norm.moving_mean.size, 1 - norm.momentum) for norm in norms])
    before, total, count = _statistics(norms), np.zeros(len(kept)), 0
    declares_pass = hasattr(model, "run_for_statistics")
    forward = _StatisticsForward(model) if declares_pass else _TrainingForward(model)
    forward.set_train(True)
    for batch in islice(data_loader, num_iters):
        forward(Tensor(batch["images"]))
        after = _statistics(norms)
        # The statistics of the batch that moved the running ones from `before` to `after`.
        total += (after - kept * before) / (1 - kept)
        before, count = after, count + 1
    forward.set_train(False)
    if count < num_iters:
        raise ValueError(f"The loader has {count} batches, but {num_iters} were asked for.")
    means = (total / num_iters).astype(np.float32)
    _assign(norms, comm.all_gather(means).mean(0, dtype=np.float64))


def _statistics(norms: list[nn.Cell]) -> np.ndarray:
    """Concatenate means and variances of all norms, in float64."""
    each = [value.asnumpy() for norm in norms for value in (norm.moving_mean, norm.moving_variance)]
    return np.concatenate(each).astype(np.float64)


def _assign(norms: list[nn.Cell], values: np.ndarray) -> None:
    first = 0
    for norm in norms:
        for parameter in (norm.moving_mean, norm.moving_variance):
            part = values[first : first + parameter.size].astype(np.float32)
            ops.assign(parameter, Tensor(part))
            first += parameter.size
