"""Blocks of RegNet and EfficientNet in torch, written from the papers' figures."""

import torch
from torch import nn


def conv(inputs, outputs, kernel=1, stride=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)


class TorchSE(nn.Module):
    def __init__(self, channels, hidden, activation):
        super().__init__()
        self.f_ex = nn.Sequential(
            conv(channels, hidden, bias=True),
            activation,
            conv(hidden, channels, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.f_ex(x.mean((2, 3), keepdim=True))


class TorchTransform(nn.Module):
    def __init__(self, inputs, outputs, stride, groups, hidden):
        super().__init__()
        self.a, self.a_bn = conv(inputs, outputs), nn.BatchNorm2d(outputs)
        self.b = conv(outputs, outputs, 3, stride, groups)
        self.b_bn = nn.BatchNorm2d(outputs)
        self.se = TorchSE(outputs, hidden, nn.ReLU()) if hidden else nn.Identity()
        self.c, self.c_bn = conv(outputs, outputs), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = torch.relu(self.a_bn(self.a(x)))
        return self.c_bn(self.c(self.se(torch.relu(self.b_bn(self.b(y))))))


class TorchRegNetBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, groups, hidden):
        super().__init__()
        self.f = TorchTransform(inputs, outputs, stride, groups, hidden)
        self.changes = stride > 1 or inputs != outputs
        if self.changes:
            self.proj, self.bn = conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)

    def forward(self, x):
        shortcut = self.bn(self.proj(x)) if self.changes else x
        return torch.relu(shortcut + self.f(x))


class TorchMBConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        width = inputs * expansion
        self.widens = expansion > 1
        if self.widens:
            self.exp, self.exp_bn = conv(inputs, width), nn.BatchNorm2d(width)
        self.dwise, self.dwise_bn = conv(width, width, kernel, stride, width), nn.BatchNorm2d(width)
        self.se = TorchSE(width, inputs // 4, nn.SiLU())
        self.lin_proj, self.lin_proj_bn = conv(width, outputs), nn.BatchNorm2d(outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        swish = nn.functional.silu
        y = swish(self.exp_bn(self.exp(x))) if self.widens else x
        y = self.lin_proj_bn(self.lin_proj(self.se(swish(self.dwise_bn(self.dwise(y))))))
        return x + y if self.adds else y
