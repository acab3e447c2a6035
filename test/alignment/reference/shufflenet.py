"""Units of ShuffleNetV2 in torch, from the paper, with the names of the authors' weights."""

import torch
from torch import nn

from test.alignment.reference.light import conv


def pointwise(inside, out):
    return [conv(inside, out), nn.BatchNorm2d(out), nn.ReLU()]


def depthwise(channels, stride):
    return [conv(channels, channels, 3, stride, channels), nn.BatchNorm2d(channels)]


class TorchUnit(nn.Module):
    """A unit; with stride 2 the first branch is convolved too."""

    def __init__(self, inside, out, stride):
        super().__init__()
        hidden = out // 2
        of_main = inside if stride == 2 else inside // 2
        rest = out - of_main
        self.branch_main = nn.Sequential(
            *pointwise(of_main, hidden), *depthwise(hidden, stride), *pointwise(hidden, rest)
        )
        if stride == 2:
            self.branch_proj = nn.Sequential(*depthwise(inside, 2), *pointwise(inside, inside))

    def forward(self, x):
        if hasattr(self, "branch_proj"):
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        return torch.cat((x[:, ::2], self.branch_main(x[:, 1::2])), 1)
