"""Gather the features of a test set from several processes and score them on rank 0."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastreid.utils import comm

from ..dataset_evaluator import DatasetEvaluator

# Number of batches of a process in one message.
_BATCHES_AT_ONCE = 16


def score_together(
    evaluator: DatasetEvaluator, data_loader: Any, features: Sequence[np.ndarray]
) -> OrderedDict:
    """Score the features of all processes on rank 0 and broadcast the scores.

    Args:
        evaluator: on rank 0 it gets every batch of the data set, in order.
        data_loader: has ``dataset`` and ``batch_size``; rank r of W processes has computed the
            batches r, r + W, r + 2 W, ...
        features: (N, D) features of each batch of this process.

    Returns:
        The scores of rank 0, in every process.
    """
    dataset, batch_size = data_loader.dataset, data_loader.batch_size
    world_size = comm.get_world_size()
    starts = range(0, len(dataset), batch_size)
    rounds = -(-len(starts) // world_size)
    # A process without batches gets D from the others.
    dimension = features[0].shape[1] if features else 0
    dimension = int(comm.all_gather(np.array([dimension], np.int32)).max())
    for first in range(0, rounds, _BATCHES_AT_ONCE):
        count = min(_BATCHES_AT_ONCE, rounds - first)
        mine = np.zeros((count, batch_size, dimension), np.float32)
        for padded, rows in zip(mine, features[first : first + count]):
            padded[: len(rows)] = rows
        everyone = comm.all_gather(mine)
        if comm.is_main_process():
            # Reorder to the order of the data set: by round, then by rank.
            in_order = everyone.swapaxes(0, 1).reshape(-1, batch_size, dimension)
            for start, rows in zip(starts[first * world_size :], in_order):
                columns = _columns(dataset, slice(start, start + batch_size))
                evaluator.process(columns, rows[: len(columns["targets"])])
    results = evaluator.evaluate() if comm.is_main_process() else None
    return OrderedDict(comm.broadcast_object(results))


def _columns(dataset: Any, rows: slice) -> dict[str, np.ndarray]:
    return {
        "targets": dataset.targets[rows],
        "camids": dataset.camids[rows],
        "domainids": dataset.domainids[rows],
        "img_paths": np.array(dataset.paths[rows]),
    }
