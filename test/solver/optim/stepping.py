"""The same small problem for an optimizer of ours and one of torch."""

import mindspore as ms
import numpy as np
import torch
from mindspore import Parameter, Tensor, nn

from fastreid.solver import ParamGroup

# Two of one shape, so that buffers shared by mistake show.
SHAPES = {"conv.weight": (3, 2), "fc.weight": (3, 2), "bn.gamma": (4,), "bn.beta": (4,)}
SETTINGS = [(0.1, 0.0), (0.02, 0.05)]  # rate and decay of two groups


def start_values():
    rng = np.random.RandomState(0)
    return {name: rng.randn(*shape).astype(np.float32) for name, shape in SHAPES.items()}


def gradients_of(step):
    rng = np.random.RandomState(100 + step)
    return [rng.randn(*shape).astype(np.float32) for shape in SHAPES.values()]


def our_groups():
    parameters = [Parameter(Tensor(v), name=name) for name, v in start_values().items()]
    return [
        ParamGroup(tuple(members), lr, decay)
        for members, (lr, decay) in zip((parameters[:2], parameters[2:]), SETTINGS)
    ]


def torch_groups():
    tensors = [torch.tensor(value.astype(np.float64)) for value in start_values().values()]
    for tensor in tensors:
        tensor.requires_grad_()
    return [
        {"params": members, "lr": lr, "weight_decay": decay}
        for members, (lr, decay) in zip((tensors[:2], tensors[2:]), SETTINGS)
    ]


class Step(nn.Cell):
    """An optimizer inside a compiled step, as training has it."""

    def __init__(self, optimizer):
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer

    def construct(self, *gradients):
        return self.optimizer(gradients)


def rates_at(step):
    """A schedule that changes every step and every group."""
    return [lr * (1 - 0.15 * step) for lr, _ in SETTINGS]


def run_ours(optimizer, steps, compiled=None):
    compiled = compiled or Step(optimizer)
    for step in steps:
        optimizer.set_learning_rates(rates_at(step))
        compiled(*[Tensor(gradient, ms.float32) for gradient in gradients_of(step)])
    return [parameter.asnumpy().copy() for parameter in optimizer.parameters]


def run_torch(optimizer, steps):
    tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    for step in steps:
        for group, rate in zip(optimizer.param_groups, rates_at(step)):
            group["lr"] = rate
        for tensor, gradient in zip(tensors, gradients_of(step)):
            tensor.grad = torch.tensor(gradient.astype(np.float64))
        optimizer.step()
    return [tensor.detach().numpy() for tensor in tensors]
