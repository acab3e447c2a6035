"""Modules and their parameters: names, initial values, children, gradients of weights."""

import mindspore as ms
import numpy as np
import torch
from mindspore import nn, ops
from mindspore.common.initializer import Normal, initializer
from torch.autograd import Variable

from test.migration.pair import Chapter, Verdict

PARAMETERS = Chapter("Modules, parameters and gradients")
X = np.random.RandomState(3).randn(5, 4).astype(np.float32)
IMAGES = np.random.RandomState(3).randn(2, 4, 7, 5).astype(np.float32)


class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x


class TwiceCell(nn.Cell):
    def construct(self, x):
        return 2 * x


class TwiceWithoutSelf(nn.Cell):
    def construct(this, x):  # noqa: N805 - the trap
        return 2 * x


class SumOf(nn.Cell):
    """The sum of the outputs of a layer, as a loss."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def construct(self, x):
        return self.layer(x).sum()


class SumOfWithoutPrefix(nn.Cell):
    def __init__(self, layer):
        super().__init__(auto_prefix=False)
        self.layer = layer

    def construct(self, x):
        return self.layer(x).sum()


def sum_of_squares(x):
    return (x * x).sum()


def identity(x):
    return x


def spread(tensor):
    """Mean and standard deviation, rounded: the draws differ."""
    values = tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else tensor.asnumpy()
    return round(float(values.mean()), 1), round(float(values.std()), 1)


@PARAMETERS.program(
    guide=1,
    verdict=Verdict.RIGHT,
    differs="A cell starts in evaluation mode. Only `set_train` of the cell that is called counts "
    "in graph mode, not that of a part of it.",
)
class Training:
    def pytorch():
        return torch.nn.Module().training

    def mindspore():
        return nn.Cell().set_train().training

    def trap():
        return nn.Cell().training


@PARAMETERS.program(
    X,
    guide=4,
    verdict=Verdict.RIGHT,
    differs="It has a name: inside a cell the path of attributes, outside such as `Parameter#1`.",
)
class Parameter:
    def pytorch(x):
        return torch.nn.Parameter(x)

    def mindspore(x):
        return ms.Parameter(x, name="weight")


@PARAMETERS.layer(
    X,
    guide=5,
    verdict=Verdict.RIGHT,
    trap_in=("graph",),
    trap_error="parameters number of the function",
    differs="Graph mode compiles it. Its first argument must be called `self`.",
)
class Forward:
    pytorch = Twice
    mindspore = TwiceCell
    trap = TwiceWithoutSelf


@PARAMETERS.program(
    guide=24,
    verdict=Verdict.RIGHT,
    differs="Norms have `gamma` for `weight`. Once a graph has run, use `ops.assign`: see the row "
    "on `set_data`.",
)
class NormWeight:
    def pytorch():
        layer = torch.nn.BatchNorm2d(4)
        layer.weight.data.fill_(1)
        return layer.weight

    def mindspore():
        layer = nn.BatchNorm2d(4)
        layer.gamma.set_data(initializer("ones", layer.gamma.shape, layer.gamma.dtype))
        return layer.gamma


@PARAMETERS.program(guide=25, verdict=Verdict.RIGHT, differs="Norms have `beta` for `bias`.")
class NormBias:
    def pytorch():
        layer = torch.nn.BatchNorm2d(4)
        layer.bias.data.fill_(0)
        return layer.bias

    def mindspore():
        layer = nn.BatchNorm2d(4)
        layer.beta.set_data(initializer("zeros", layer.beta.shape, layer.beta.dtype))
        return layer.beta


@PARAMETERS.program(
    guide=26,
    verdict=Verdict.WRONG,
    differs="The guide makes a new parameter. In a layer with a parent its name lacks the "
    "parent's, and an optimizer that exists keeps the old one.",
)
class LearnedNormWeight:
    def pytorch():
        layers = torch.nn.Sequential(torch.nn.BatchNorm2d(4))
        layers[0].weight.data.fill_(2)
        layers[0].weight.requires_grad_(True)
        return next(iter(layers.state_dict())).startswith("0."), layers[0].weight

    def mindspore():
        layers = nn.SequentialCell(nn.BatchNorm2d(4))
        gamma = layers[0].gamma
        gamma.set_data(initializer(2, gamma.shape, gamma.dtype))
        gamma.requires_grad = True
        return layers[0].gamma.name.startswith("0."), layers[0].gamma

    def trap():
        layers = nn.SequentialCell(nn.BatchNorm2d(4))
        layers[0].gamma = ms.Parameter(initializer(2, (4,)), name="gamma", requires_grad=True)
        return layers[0].gamma.name.startswith("0."), layers[0].gamma


@PARAMETERS.program(
    guide=27,
    verdict=Verdict.RIGHT,
    differs="For a norm; convolutions and `Dense` have `weight`.",
)
class ZeroWeight:
    def pytorch():
        layer = torch.nn.BatchNorm2d(4)
        torch.nn.init.constant_(layer.weight, 0.0)
        return layer.weight

    def mindspore():
        layer = nn.BatchNorm2d(4)
        layer.gamma.set_data(initializer("zeros", layer.gamma.shape, layer.gamma.dtype))
        return layer.gamma


@PARAMETERS.program(
    guide=32,
    verdict=Verdict.RIGHT,
    differs="`sigma` comes first and is 0.01 by default: keep the keywords. The draws differ.",
)
class NormalWeight:
    def pytorch():
        weight = torch.nn.Linear(100, 100).weight
        torch.nn.init.normal_(weight, mean=3.0, std=1.0)
        return spread(weight)

    def mindspore():
        weight = nn.Dense(100, 100).weight
        weight.set_data(initializer(Normal(sigma=1.0, mean=3.0), weight.shape, weight.dtype))
        return spread(weight)

    def trap():
        weight = nn.Dense(100, 100).weight
        weight.set_data(initializer(Normal(3.0, 1.0), weight.shape, weight.dtype))
        return spread(weight)


@PARAMETERS.program(
    guide=33,
    verdict=Verdict.RIGHT,
    differs="The guide's rule for convolutions. Its PyTorch half has a slip: it loops over "
    "`cells_and_names()` too.",
)
class InitialWeights:
    def pytorch():
        layer = torch.nn.Conv2d(32, 64, 3)
        n = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels
        layer.weight.data.normal_(0, (2 / n) ** 0.5)
        return spread(layer.weight * 100)

    def mindspore():
        layer = nn.Conv2d(32, 64, 3)
        n = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels
        values = initializer(Normal((2 / n) ** 0.5, 0), layer.weight.shape, layer.weight.dtype)
        layer.weight.set_data(values)
        return spread(layer.weight * 100)


@PARAMETERS.program(
    guide=31,
    verdict=Verdict.RIGHT,
    differs="Pairs of name and cell, the cell itself included. Not inside `construct`.",
)
class Modules:
    def pytorch():
        layers = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(torch.nn.Sigmoid()))
        return [name for name, _ in layers.named_modules()]

    def mindspore():
        layers = nn.SequentialCell(nn.ReLU(), nn.SequentialCell(nn.Sigmoid()))
        return [name for name, _ in layers.cells_and_names()]


@PARAMETERS.program(
    guide=34, verdict=Verdict.RIGHT, differs="Private in both. `name_cells()` is public."
)
class Children:
    def pytorch():
        return list(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU())._modules)

    def mindspore():
        return list(nn.SequentialCell(nn.ReLU(), nn.ReLU())._cells)


@PARAMETERS.program(
    guide=56,
    verdict=Verdict.RIGHT,
    differs="A name that exists is not refused in either.",
)
class AddedModule:
    def pytorch():
        module = torch.nn.Module()
        module.add_module("relu", torch.nn.ReLU())
        return [name for name, _ in module.named_children()]

    def mindspore():
        cell = nn.Cell()
        cell.insert_child_to_cell("relu", nn.ReLU())
        return list(cell.name_cells())


@PARAMETERS.program(
    guide=38,
    verdict=Verdict.WRONG,
    differs="`get_parameters()` has the running statistics too. And `value()` is no reference: a "
    "later change of the parameter is not seen in it.",
)
class NamedParameters:
    def pytorch():
        return len(dict(torch.nn.BatchNorm2d(4).named_parameters()))

    def mindspore():
        return len({p.name: p for p in nn.BatchNorm2d(4).trainable_params()})

    def trap():
        return len({p.name: p.value() for p in nn.BatchNorm2d(4).get_parameters()})


@PARAMETERS.program(
    guide=39,
    verdict=Verdict.WRONG,
    differs="The guide collects `item.value()`, which is a copy: there are no gradients for it "
    "(given as `weights`, it ends the process in graph mode). Collect the parameters.",
)
class TrainableParameters:
    def pytorch():
        layer = torch.nn.Linear(4, 3)
        weights = {n: p for n, p in layer.named_parameters() if p.requires_grad}
        layer.bias.data.fill_(7)
        return weights["bias"]

    def mindspore():
        layer = nn.Dense(4, 3)
        weights = {p.name: p for p in layer.trainable_params()}
        ops.assign(layer.bias, ops.full_like(layer.bias, 7))
        return weights["bias"]

    def trap():
        layer = nn.Dense(4, 3)
        weights = {p.name: p.value() for p in layer.trainable_params()}
        ops.assign(layer.bias, ops.full_like(layer.bias, 7))
        return weights["bias"]


@PARAMETERS.program(
    X,
    guide=62,
    verdict=Verdict.WRONG,
    differs="The guide differentiates the identity at a loss that is computed before: all zeros, "
    "without an error. Pass the function that computes the loss from the inputs. Unused weights "
    "get zeros, not `None`.",
)
class GradientOfWeights:
    def pytorch(x):
        layer = torch.nn.Linear(4, 3)
        return torch.autograd.grad(layer(x).sum(), layer.parameters(), create_graph=True)

    def mindspore(x):
        layer = nn.Dense(4, 3)
        return ms.grad(SumOf(layer), grad_position=None, weights=layer.trainable_params())(x)

    def trap(x):
        loss = SumOf(layer := nn.Dense(4, 3))(x)
        return ms.grad(identity, grad_position=None, weights=layer.trainable_params())(loss)


@PARAMETERS.program(
    X,
    guide=19,
    verdict=Verdict.WRONG,
    differs="The guide says that only parameters are differentiated. `grad_position` chooses any "
    "inputs.",
)
class GradientOfInput:
    def pytorch(x):
        x = Variable(x, requires_grad=True)
        return torch.autograd.grad(sum_of_squares(x), x)[0]

    def mindspore(x):
        return ms.grad(sum_of_squares, grad_position=0)(x)

    def trap(x):
        return ms.grad(sum_of_squares, None, [ms.Parameter(x, name="x")])(x)


@PARAMETERS.call(
    X,
    guide=63,
    verdict=Verdict.WRONG,
    trap_in=("graph",),
    trap_error="Parameter",
    differs="A parameter without a name is not needed, and cannot be made in a compiled function.",
)
class ConstantGradient:
    def pytorch(x):
        gradient = 2 * x
        return x * Variable(gradient.data, requires_grad=False)

    def mindspore(x):
        gradient = 2 * x
        return x * ops.stop_gradient(gradient)

    def trap(x):
        gradient = 2 * x
        return x * ms.Parameter(gradient.value(), requires_grad=False)


@PARAMETERS.program(
    X,
    differs="`weights` get gradients even with `requires_grad=False`: list those that learn.",
)
class FrozenWeights:
    def pytorch(x):
        layer = torch.nn.Linear(4, 3)
        layer.bias.requires_grad = False
        layer(x).sum().backward()
        return [p.grad for p in layer.parameters() if p.grad is not None]

    def mindspore(x):
        layer = nn.Dense(4, 3)
        layer.bias.requires_grad = False
        weights = [p for p in layer.get_parameters() if p.requires_grad]
        return ms.grad(SumOf(layer), None, weights)(x)

    def trap(x):
        layer = nn.Dense(4, 3)
        layer.bias.requires_grad = False
        return ms.grad(SumOf(layer), None, list(layer.get_parameters()))(x)


@PARAMETERS.program(
    differs="A cell around a network renames its parameters, unless it is built with "
    "`auto_prefix=False`.",
)
class NamesInWrapper:
    def pytorch():
        layer = torch.nn.Linear(4, 3)
        torch.nn.Sequential(layer)
        return [name for name, _ in layer.named_parameters()]

    def mindspore():
        layer = nn.Dense(4, 3)
        SumOfWithoutPrefix(layer)
        return [p.name for p in layer.get_parameters()]

    def trap():
        layer = nn.Dense(4, 3)
        SumOf(layer)
        return [p.name for p in layer.get_parameters()]
