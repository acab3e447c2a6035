"""ResNeSt and the grouped bottleneck of ResNeXt in torch, written from the papers."""

import torch
from torch import nn
from torch.nn import functional

from test.alignment.reference.layers import TorchIBN


class TorchSplitAttention(nn.Module):
    """Split attention, split by split in a loop."""

    def __init__(self, channels, out, *, radix=2, stride=1, dilation=1):
        super().__init__()
        self.radix, self.out = radix, out
        hidden = max(channels * radix // 4, 32)
        options = {"padding": dilation, "dilation": dilation, "groups": radix, "bias": False}
        self.conv = nn.Conv2d(channels, radix * out, 3, stride, **options)
        self.bn0 = nn.BatchNorm2d(radix * out)
        self.fc1 = nn.Conv2d(out, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.fc2 = nn.Conv2d(hidden, radix * out, 1)

    def forward(self, x):
        maps = functional.relu(self.bn0(self.conv(x)))
        splits = [maps[:, k * self.out : (k + 1) * self.out] for k in range(self.radix)]
        means = sum(splits).mean((2, 3), keepdim=True)
        scores = self.fc2(functional.relu(self.bn1(self.fc1(means))))
        exps = [scores[:, k * self.out : (k + 1) * self.out].exp() for k in range(self.radix)]
        return sum(split * each / sum(exps) for split, each in zip(splits, exps))


class TorchSplitBlock(nn.Module):
    """A bottleneck with split attention; `pool` is the stride of its average, 0 for none."""

    def __init__(self, channels, planes, *, pool=0, dilation=1, shortcut=0):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = TorchSplitAttention(planes, planes, dilation=dilation)
        self.pool = nn.AvgPool2d(3, pool, 1) if pool else nn.Identity()
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample = nn.Identity()
        if shortcut:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(shortcut, shortcut, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(channels, 4 * planes, 1, bias=False),
                nn.BatchNorm2d(4 * planes),
            )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.pool(self.conv2(y))))
        return functional.relu(y + self.downsample(x))


class TorchResNeSt(nn.Module):
    """A stem and stages; `stages` has planes, blocks, stride, dilation and pools of each."""

    def __init__(self, width, stages):
        super().__init__()
        layers, channels = [], 3
        for out, stride in ((width, 2), (width, 1), (2 * width, 1)):
            layers += [nn.Conv2d(channels, out, 3, stride, 1, bias=False)]
            layers += [nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        self.conv1 = nn.Sequential(*layers[:-2])
        self.bn1 = nn.BatchNorm2d(channels)
        self.count = len(stages)
        for number, (planes, blocks, stride, dilation, pools) in enumerate(stages, start=1):
            pool = stride if pools else 0
            stage = [TorchSplitBlock(channels, planes, pool=pool, shortcut=stride)]
            channels = 4 * planes
            stage += [
                TorchSplitBlock(channels, planes, dilation=dilation) for _ in range(blocks - 1)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*stage))

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for number in range(1, self.count + 1):
            x = getattr(self, f"layer{number}")(x)
        return x


class TorchGroupedBlock(nn.Module):
    """A bottleneck of ResNeXt 32x4d, each group convolved for itself."""

    def __init__(self, channels, planes, *, stride=1, with_ibn=False):
        super().__init__()
        width = 2 * planes
        self.stride, self.groups = stride, 32
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = TorchIBN(width) if with_ibn else nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=self.groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample = nn.Sequential(
            nn.Conv2d(channels, 4 * planes, 1, stride, bias=False), nn.BatchNorm2d(4 * planes)
        )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        inputs, kernels = y.chunk(self.groups, 1), self.conv2.weight.chunk(self.groups, 0)
        pairs = zip(inputs, kernels)
        y = torch.cat([functional.conv2d(a, k, None, self.stride, 1) for a, k in pairs], 1)
        y = self.bn3(self.conv3(functional.relu(self.bn2(y))))
        return functional.relu(y + self.downsample(x))
