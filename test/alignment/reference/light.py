"""Blocks of OSNet, MobileNetV2 and V3 in torch, from the papers, with the published names."""

import torch
from torch import nn
from torch.nn import functional


class TorchGate(nn.Module):
    """Squeeze and excitation by two 1x1 convolutions."""

    def __init__(self, channels, hidden, activation=torch.sigmoid):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)
        self.activation = activation

    def forward(self, x):
        hidden = functional.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * self.activation(self.fc2(hidden))


def conv(inside, out, kernel=1, stride=1, groups=1):
    return nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)


class TorchConvNorm(nn.Module):
    def __init__(self, inside, out, kernel=1, *, stride=1, activated=True, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv = conv(inside, out, kernel, stride)
        self.bn = norm(out)
        self.activated = activated

    def forward(self, x):
        x = self.bn(self.conv(x))
        return functional.relu(x) if self.activated else x


class TorchLight(nn.Module):
    """A light 3x3 convolution."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(channels, channels, 3, groups=channels)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return functional.relu(self.bn(self.conv2(self.conv1(x))))


class TorchOSBlock(nn.Module):
    """An omni-scale block; stream `conv2a` has one light convolution, `conv2d` four."""

    def __init__(self, inside, out, *, with_instance_norm=False):
        super().__init__()
        width = out // 4
        self.conv1 = TorchConvNorm(inside, width)
        self.conv2a = TorchLight(width)
        for length, letter in enumerate("bcd", start=2):
            stream = nn.Sequential(*[TorchLight(width) for _ in range(length)])
            self.add_module(f"conv2{letter}", stream)
        self.gate = TorchGate(width, width // 16)
        self.conv3 = TorchConvNorm(width, out, activated=False)
        if inside != out:
            self.downsample = TorchConvNorm(inside, out, activated=False)
        else:
            self.downsample = nn.Identity()
        self.IN = nn.InstanceNorm2d(out, affine=True) if with_instance_norm else nn.Identity()

    def forward(self, x):
        y = self.conv1(x)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        y = self.conv3(sum(self.gate(stream(y)) for stream in streams))
        return functional.relu(self.IN(y + self.downsample(x)))


class TorchOSStage(nn.Sequential):
    """Two blocks, a 1x1 convolution and average pooling."""

    def __init__(self, inside, out):
        transition = nn.Sequential(TorchConvNorm(out, out), nn.AvgPool2d(2, 2))
        super().__init__(TorchOSBlock(inside, out), TorchOSBlock(out, out), transition)


class TorchInvertedV2(nn.Module):
    """MobileNetV2's block: expansion, depthwise convolution, projection, in one sequence."""

    def __init__(self, inside, out, expansion, stride):
        super().__init__()
        hidden = inside * expansion
        cells = []
        if expansion > 1:
            cells += [conv(inside, hidden), nn.BatchNorm2d(hidden), nn.ReLU6()]
        cells += [conv(hidden, hidden, 3, stride, hidden), nn.BatchNorm2d(hidden), nn.ReLU6()]
        cells += [conv(hidden, out), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*cells)
        self.adds_input = stride == 1 and inside == out

    def forward(self, x):
        return self.conv(x) + x if self.adds_input else self.conv(x)


class TorchInvertedV3(nn.Module):
    """MobileNetV3's block, with a gate of a given hidden width or none."""

    def __init__(self, inside, spec, gate_hidden):
        super().__init__()
        kernel, hidden, out, with_gate, activation, stride = spec
        make = {"relu": nn.ReLU, "hardswish": nn.Hardswish}[activation]
        cells = []
        if hidden != inside:
            cells.append(nn.Sequential(conv(inside, hidden), nn.BatchNorm2d(hidden), make()))
        depthwise = conv(hidden, hidden, kernel, stride, hidden)
        cells.append(nn.Sequential(depthwise, nn.BatchNorm2d(hidden), make()))
        if with_gate:
            cells.append(TorchGate(hidden, gate_hidden, functional.hardsigmoid))
        cells.append(nn.Sequential(conv(hidden, out), nn.BatchNorm2d(out)))
        self.block = nn.Sequential(*cells)
        self.adds_input = stride == 1 and inside == out

    def forward(self, x):
        return self.block(x) + x if self.adds_input else self.block(x)
