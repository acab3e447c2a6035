"""A few training steps of an original model, for golden files of kind "fastreid" with steps."""

from __future__ import annotations

import numpy as np
import torch

LEARNING_RATE, MOMENTUM = 1e-4, 0.9


def steps_numbers(original, count):
    """Losses of each step, how far parameters moved, statistics and the memory of a MoCo.

    Args:
        original: the model.
        count: number of steps; step k gets golden batch k.
    """
    original.reset(training=True)
    parameters = dict(original.model.named_parameters())
    start = {name: value.detach().clone() for name, value in parameters.items()}
    optimizer = torch.optim.SGD(
        [value for value in parameters.values() if value.requires_grad],
        lr=LEARNING_RATE,
        momentum=MOMENTUM,
    )
    rows = []
    for number in range(count):
        optimizer.zero_grad()
        losses = original.model(original.batch(original.basic(number)))
        sum(losses.values()).backward()
        optimizer.step()
        rows.append({name: loss.item() for name, loss in losses.items()})
    names, moved = sorted(rows[0]), sorted(parameters)
    state = original.model.state_dict()
    buffers = {k: v for k, v in state.items() if k.endswith(("running_mean", "running_var"))}
    numbers = {
        "steps.solver": np.array([LEARNING_RATE, MOMENTUM]),
        "steps.losses": np.array([[row[name] for name in names] for row in rows]),
        "steps.delta": original.summaries({k: parameters[k] - start[k] for k in moved}, moved),
        "steps.buffers": original.summaries(buffers, sorted(buffers)),
    }
    memory = {k: v for k, v in state.items() if k.startswith("memory.")}
    for name, value in memory.items():
        is_queue = value.is_floating_point()
        kept = original.summaries(memory, [name]) if is_queue else value.numpy().copy()
        numbers[f"steps.{name}"] = kept
    texts = {
        "steps.loss_names": names,
        "steps.delta.names": moved,
        "steps.buffers.names": sorted(buffers),
    }
    return numbers, texts
