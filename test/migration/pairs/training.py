"""Optimizers, learning rates, and what compiled graphs do not notice."""

import mindspore as ms
import numpy as np
import torch
from mindspore import Tensor, nn, ops
from mindspore.experimental import optim as torch_like
from torch.optim import lr_scheduler

from test.migration.pair import Chapter, Verdict

TRAINING = Chapter("Training")
X = np.random.RandomState(4).randn(3, 4).astype(np.float32)
IMAGES = np.random.RandomState(4).randn(2, 4, 7, 5).astype(np.float32)
REST = 1 - 0.999


def torch_steps(optimizer, parameter):
    """The parameter after three steps with gradients that change."""
    for step in range(3):
        parameter.grad = torch.full_like(parameter, step + 1)
        optimizer.step()
    return parameter


def steps(optimizer, parameter):
    """The same on our side."""
    for step in range(3):
        optimizer((ops.full_like(parameter, step + 1),))
    return parameter


def torch_rates(scheduler, count):
    rates = []
    for _ in range(count):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def torch_optimizer(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


class Scaled(nn.Cell):
    """An input times a parameter, compiled in either mode."""

    def __init__(self):
        super().__init__()
        self.scale = ms.Parameter(Tensor(1.0, ms.float32), name="scale")

    @ms.jit
    def construct(self, x):
        return x * self.scale


class ScaledByAttribute(nn.Cell):
    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def construct(self, x):
        return x * self.scale


class TorchScaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def forward(self, x):
        return x * self.scale


class Holder(nn.Cell):
    """A cell around a layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def construct(self, x):
        return self.layer(x)


class SetFirst(nn.Cell):
    def construct(self, x):
        x[0] = 5.0
        return x


def mean_cubed(x):
    return (x.mean(1) ** 3).sum()


def slope(x):
    return (ms.grad(mean_cubed)(x) ** 2).sum()


@ms.jit
def second_derivative(x):
    return ms.grad(slope)(x)


@TRAINING.program(
    X,
    guide=36,
    verdict=Verdict.RIGHT,
    differs="It is called with the gradients. Its state is more than velocities: save `stat.*` "
    "with `accum.*` to resume.",
)
class Sgd:
    def pytorch(x):
        p = torch.nn.Parameter(x)
        return torch_steps(torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.1), p)

    def mindspore(x):
        p = ms.Parameter(x, name="p")
        return steps(nn.SGD([p], 0.1, momentum=0.9, weight_decay=0.1), p)


@TRAINING.program(
    X,
    differs="`nn.Momentum` with `use_nesterov` gives other numbers on CPU.",
)
class Nesterov:
    def pytorch(x):
        p = torch.nn.Parameter(x)
        return torch_steps(torch.optim.SGD([p], lr=0.1, momentum=0.9, nesterov=True), p)

    def mindspore(x):
        p = ms.Parameter(x, name="p")
        return steps(nn.SGD([p], 0.1, momentum=0.9, nesterov=True), p)

    def trap(x):
        p = ms.Parameter(x, name="p")
        return steps(nn.Momentum([p], 0.1, 0.9, use_nesterov=True), p)


@TRAINING.program(
    X,
    differs="Without groups, the weight decay skips parameters with `gamma` or `beta` in their "
    "names. In a group it does not.",
)
class WeightDecay:
    def pytorch(x):
        p = torch.nn.Parameter(x)
        return torch_steps(torch.optim.SGD([p], lr=0.1, weight_decay=0.1), p)

    def mindspore(x):
        p = ms.Parameter(x, name="gamma")
        return steps(nn.SGD([{"params": [p], "weight_decay": 0.1}], 0.1), p)

    def trap(x):
        p = ms.Parameter(x, name="gamma")
        return steps(nn.SGD([p], 0.1, weight_decay=0.1), p)


@TRAINING.program(X, differs="The weight decay is added to the gradient, as in PyTorch.")
class Adam:
    def pytorch(x):
        p = torch.nn.Parameter(x)
        return torch_steps(torch.optim.Adam([p], lr=0.1, weight_decay=0.1), p)

    def mindspore(x):
        p = ms.Parameter(x, name="p")
        return steps(nn.Adam([p], 0.1, weight_decay=0.1), p)


@TRAINING.program(
    X,
    differs="`nn.AdamWeightDecay` does not correct the bias of its averages.",
)
class AdamW:
    def pytorch(x):
        p = torch.nn.Parameter(x)
        return torch_steps(torch.optim.AdamW([p], lr=0.1, weight_decay=0.1), p)

    def mindspore(x):
        p = ms.Parameter(x, name="p")
        return steps(torch_like.AdamW([p], lr=0.1, weight_decay=0.1), p)

    def trap(x):
        p = ms.Parameter(x, name="p")
        return steps(nn.AdamWeightDecay([p], 0.1, weight_decay=0.1), p)


@TRAINING.program(
    X,
    differs="A parameter that takes no part gets a gradient of zero, not `None`, and weight decay "
    "changes it. Keep it out of the optimizer.",
)
class UnusedParameter:
    def pytorch(x):
        unused, p = torch.nn.Parameter(x), torch.nn.Parameter(2 * x)
        torch_steps(torch.optim.SGD([unused, p], lr=0.1, weight_decay=0.1), p)
        return unused

    def mindspore(x):
        unused, p = ms.Parameter(x, name="unused"), ms.Parameter(2 * x, name="p")
        steps(nn.SGD([p], 0.1, weight_decay=0.1), p)
        return unused

    def trap(x):
        unused = ms.Parameter(x, name="unused")
        nn.SGD([unused], 0.1, weight_decay=0.1)((ops.zeros_like(unused),))
        return unused


@TRAINING.program(
    guide=37,
    verdict=Verdict.RIGHT,
    differs="Another interface: no `step`, `zero_grad` or `param_groups`.",
)
class Optimizer:
    def pytorch():
        return isinstance(torch_optimizer(0.1), torch.optim.Optimizer)

    def mindspore():
        return isinstance(nn.SGD([ms.Parameter(Tensor(0.0), name="p")], 0.1), nn.Optimizer)


@TRAINING.program(
    guide=40,
    verdict=Verdict.RIGHT,
    differs="A list with a rate for each step, not a schedule. After `decay_epoch` it stays low; "
    "PyTorch's rises again.",
)
class CosineSchedule:
    def pytorch():
        return torch_rates(lr_scheduler.CosineAnnealingLR(torch_optimizer(1.0), T_max=6), 6)

    def mindspore():
        return nn.cosine_decay_lr(0.0, 1.0, total_step=6, step_per_epoch=1, decay_epoch=6)


@TRAINING.program(
    guide=41,
    verdict=Verdict.WRONG,
    differs="PyTorch has no `WarmupLR`. `nn.WarmUpLR` starts at zero, and fast-reid's warm-up at a "
    "factor, as `LinearLR` does.",
)
class WarmUp:
    def pytorch():
        return torch_rates(lr_scheduler.LinearLR(torch_optimizer(0.1), 0.1, total_iters=4), 6)

    def mindspore():
        return [0.1 * min(0.1 + 0.9 * step / 4, 1) for step in range(6)]

    def trap():
        schedule = nn.WarmUpLR(0.1, 4)
        return [float(schedule(Tensor(step, ms.int32))) for step in range(6)]


@TRAINING.program(
    X,
    trap_in=("pynative",),
    differs="The rate is a parameter. Optimizers are compiled in pynative mode too, and a compiled "
    "graph does not see `set_data`; nor does a new Python number do without compiling again.",
)
class LearningRate:
    def pytorch(x):
        p = torch.nn.Parameter(x)
        optimizer = torch.optim.SGD([p], lr=0.1)
        torch_steps(optimizer, p)
        optimizer.param_groups[0]["lr"] = 1.0
        return torch_steps(optimizer, p)

    def mindspore(x):
        p = ms.Parameter(x, name="p")
        optimizer = nn.SGD([p], 0.1)
        steps(optimizer, p)
        ops.assign(optimizer.learning_rate, Tensor(1.0, ms.float32))
        return steps(optimizer, p)

    def trap(x):
        p = ms.Parameter(x, name="p")
        optimizer = nn.SGD([p], 0.1)
        steps(optimizer, p)
        optimizer.learning_rate.set_data(Tensor(1.0, ms.float32))
        return steps(optimizer, p)


@TRAINING.program(
    X,
    trap_in=("pynative",),
    differs="In pynative mode, a compiled function ignores `set_data`, `load_param_into_net` and "
    "`p[...] =` after its first run.",
)
class ChangedParameter:
    def pytorch(x):
        module = TorchScaled()
        module(x)
        module.scale = 2.0
        return module(x)

    def mindspore(x):
        cell = Scaled()
        cell(x)
        ops.assign(cell.scale, Tensor(2.0, ms.float32))
        return cell(x)

    def trap(x):
        cell = Scaled()
        cell(x)
        cell.scale.set_data(Tensor(2.0, ms.float32))
        return cell(x)


@TRAINING.program(
    X,
    trap_in=("graph",),
    differs="Graph mode reads attributes once, when it compiles. What varies is a tensor or a "
    "parameter.",
)
class ChangedAttribute:
    def pytorch(x):
        module = TorchScaled()
        module(x)
        module.scale = 2.0
        return module(x)

    def mindspore(x):
        cell = Scaled()
        cell(x)
        ops.assign(cell.scale, Tensor(2.0, ms.float32))
        return cell(x)

    def trap(x):
        cell = ScaledByAttribute()
        cell(x)
        cell.scale = 2.0
        return cell(x)


@TRAINING.program(
    IMAGES,
    trap_in=("graph",),
    differs="In graph mode only `set_train` of the outermost cell selects another graph.",
)
class EvaluationMode:
    def pytorch(x):
        model = torch.nn.Sequential(torch.nn.BatchNorm2d(4))
        model(x)
        return model.eval()(x)

    def mindspore(x):
        model = Holder(nn.BatchNorm2d(4)).set_train()
        model(x)
        return model.set_train(False)(x)

    def trap(x):
        model = Holder(nn.BatchNorm2d(4)).set_train()
        model(x)
        model.layer.set_train(False)
        return model(x)


@TRAINING.program(
    X,
    trap_in=("graph",),
    differs="A compiled function does not change its arguments: use what it returns.",
)
class ItemAssignment:
    def pytorch(x):
        x[0] = 5.0
        return x

    def mindspore(x):
        return SetFirst()(x)

    def trap(x):
        SetFirst()(x)
        return x


@TRAINING.call(
    X,
    digits=True,
    tolerance=1e-6,
    trap_in=("graph",),
    differs="Python numbers are float32 in compiled functions: `1 - 0.999` has five digits. "
    "Compute such constants outside.",
)
class PythonNumbers:
    def pytorch(x):
        return x * (1 - 0.999)

    def mindspore(x):
        return x * REST

    def trap(x):
        beta = 0.999
        return x * (1 - beta)


@TRAINING.program(
    X,
    trap_in=("pynative",),
    differs="In pynative mode, second derivatives of some operators are wrong without an error: "
    "`mean` and `logsumexp` are. A compiled function is right, where its operators have second "
    "derivatives: `log_softmax` and `cross_entropy` have none.",
)
class SecondDerivative:
    def pytorch(x):
        x.requires_grad = True
        (first,) = torch.autograd.grad((x.mean(1) ** 3).sum(), x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), x)[0]

    def mindspore(x):
        return second_derivative(x)

    def trap(x):
        return ms.grad(slope)(x)
