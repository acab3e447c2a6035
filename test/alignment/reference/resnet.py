"""ResNet in torch, written from the papers, with the names of the published weights."""

import torch
from torch import nn
from torch.nn import functional

from test.alignment.reference.layers import TorchIBN, TorchNonLocal, TorchSE


class Block(nn.Module):
    """A basic block (kernels 3, 3) or a bottleneck (kernels 1, 3, 1)."""

    def __init__(
        self, channels, planes, *, bottleneck=True, stride=1, with_ibn, with_se, norm=nn.BatchNorm2d
    ):
        super().__init__()
        out = planes * (4 if bottleneck else 1)
        widths = [channels, planes, planes, out] if bottleneck else [channels, planes, out]
        kernels = [1, 3, 1] if bottleneck else [3, 3]
        strides = [1, stride, 1] if bottleneck else [stride, 1]
        self.depth = len(kernels)
        for k, (kernel, step) in enumerate(zip(kernels, strides)):
            conv = nn.Conv2d(
                widths[k], widths[k + 1], kernel, step, padding=kernel // 2, bias=False
            )
            self.add_module(f"conv{k + 1}", conv)
            make_norm = TorchIBN if with_ibn and k == 0 else norm
            self.add_module(f"bn{k + 1}", make_norm(widths[k + 1]))
        self.se = TorchSE(out, 16) if with_se else nn.Identity()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )
        else:
            self.downsample = nn.Identity()

    def forward(self, x):
        y = x
        for k in range(1, self.depth + 1):
            y = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(y))
            y = self.se(y) if k == self.depth else functional.relu(y)
        return functional.relu(y + self.downsample(x))


class TorchResNet(nn.Module):
    def __init__(self, spec, *, with_ibn=False, with_se=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, spec.stem_channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(spec.stem_channels)
        channels = spec.stem_channels
        bottleneck = spec.block == "bottleneck"
        self.blocks = [stage.blocks for stage in spec.stages]
        self.non_local = [stage.non_local for stage in spec.stages]
        for s, stage in enumerate(spec.stages, start=1):
            blocks = []
            for k in range(stage.blocks):
                block = Block(
                    channels,
                    stage.planes,
                    bottleneck=bottleneck,
                    stride=stage.stride if k == 0 else 1,
                    with_ibn=with_ibn and s < 4,
                    with_se=with_se,
                )
                blocks.append(block)
                channels = stage.planes * (4 if bottleneck else 1)
            self.add_module(f"layer{s}", nn.ModuleList(blocks))
            self.add_module(
                f"NL_{s}", nn.ModuleList(TorchNonLocal(channels) for _ in range(stage.non_local))
            )

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        for s, (blocks, non_local) in enumerate(zip(self.blocks, self.non_local), start=1):
            for k, block in enumerate(getattr(self, f"layer{s}")):
                x = block(x)
                place = k - (blocks - non_local)
                if place >= 0:
                    x = getattr(self, f"NL_{s}")[place](x)
        return x


def small_weights(module, seed=0):
    """Values that keep the signal near unit size, so that rounding stays small."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(1 + 0.2 * noise.abs())
        elif tensor.dim() > 1:
            tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
        elif name.endswith("weight"):
            tensor.copy_(1 + 0.1 * noise)
        else:
            tensor.copy_(0.1 * noise)
    return module
