"""The block of RepVGG in torch, from the paper, with the names of the author's weights."""

from collections import OrderedDict

from torch import nn
from torch.nn import functional


def conv_norm(spec, kernel):
    conv = nn.Conv2d(
        spec.in_channels,
        spec.out_channels,
        kernel,
        spec.stride,
        kernel // 2,
        groups=spec.groups,
        bias=False,
    )
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(spec.out_channels)))


class TorchRepVGGBlock(nn.Module):
    """The sum of a 3x3 convolution, a 1x1 convolution and, for equal shapes, the input."""

    def __init__(self, spec):
        super().__init__()
        if spec.stride == 1 and spec.in_channels == spec.out_channels:
            self.rbr_identity = nn.BatchNorm2d(spec.in_channels)
        self.rbr_dense = conv_norm(spec, 3)
        self.rbr_1x1 = conv_norm(spec, 1)

    def forward(self, x):
        y = self.rbr_dense(x) + self.rbr_1x1(x)
        if hasattr(self, "rbr_identity"):
            y = y + self.rbr_identity(x)
        return functional.relu(y)
