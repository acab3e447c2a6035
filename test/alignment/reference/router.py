"""ACL's backbone in torch, written from the paper's section 3.2, literally: copies and groups."""

import torch
from torch import nn
from torch.nn import functional

from test.alignment.reference.layers import TorchIBN, TorchNonLocal, TorchSE
from test.alignment.reference.resnet import Block

NUM_ADAPTORS = 4
REDUCTION = 16


class InstanceNorm(nn.InstanceNorm2d):
    """With scale and shift, which torch leaves out by default."""

    def __init__(self, channels):
        super().__init__(channels, affine=True)


class TorchRouter(nn.Module):
    """Weights of the adaptors, from a classifier that the image itself makes."""

    def __init__(self, channels):
        super().__init__()
        hidden = channels // REDUCTION
        self.fc1 = nn.Linear(channels, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, channels * NUM_ADAPTORS, bias=False)
        self.fc_classifier = nn.Linear(channels * NUM_ADAPTORS, 3, bias=False)
        self.fc_classifier.requires_grad_(False)

    def forward(self, x):
        pooled = x.mean((2, 3))
        hidden = functional.relu(functional.normalize(self.fc1(pooled)))
        dynamic = self.fc2(hidden).reshape(len(x), -1, NUM_ADAPTORS)
        return torch.einsum("nc,nck->nk", pooled, dynamic).softmax(1)


class TorchBank(nn.Module):
    """Four adaptors as one grouped bottleneck over four copies of the input."""

    def __init__(self, channels, planes, *, with_ibn, with_se):
        super().__init__()
        k = NUM_ADAPTORS
        self.conv1 = nn.Conv2d(k * channels, planes, 1, groups=k, bias=False)
        self.bn1 = TorchIBN(planes) if with_ibn else nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, groups=k, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, k * channels, 1, groups=k, bias=False)
        self.bn3 = nn.BatchNorm2d(k * channels)
        self.se = TorchSE(k * channels, REDUCTION) if with_se else nn.Identity()

    def forward(self, x, weights):
        copies = x.repeat(1, NUM_ADAPTORS, 1, 1)
        y = functional.relu(self.bn1(self.conv1(copies)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = functional.relu(self.se(self.bn3(self.conv3(y))) + copies)
        parts = y.reshape(len(x), NUM_ADAPTORS, *x.shape[1:])
        return (parts * weights[:, :, None, None, None]).sum(1)


class TorchMetaSE(nn.Module):
    """Squeeze and excitation with two named layers."""

    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // REDUCTION, bias=False)
        self.fc2 = nn.Linear(channels // REDUCTION, channels, bias=False)

    def forward(self, x):
        scale = torch.sigmoid(self.fc2(functional.relu(self.fc1(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class TorchGate(nn.Module):
    """Mix of two maps, channel by channel."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(channels))

    def forward(self, invariant, specific):
        share = torch.sigmoid(self.gate)[:, None, None]
        return share * invariant + (1 - share) * specific


class TorchResidual(nn.Module):
    """Bottlenecks, the last ones followed by a non-local block each."""

    def __init__(self, in_channels, spec, *, with_ibn, with_se):
        super().__init__()
        options = {"with_ibn": with_ibn, "with_se": with_se}
        channels = 4 * spec.planes
        first = Block(in_channels, spec.planes, stride=spec.stride, **options)
        rest = [Block(channels, spec.planes, **options) for _ in range(spec.blocks - 1)]
        self.blocks = nn.ModuleList([first, *rest])
        self.non_local = nn.ModuleList(TorchNonLocal(channels) for _ in range(spec.non_local))

    def forward(self, x):
        for k, block in enumerate(self.blocks):
            x = block(x)
            place = k - (len(self.blocks) - len(self.non_local))
            if place >= 0:
                x = self.non_local[place](x)
        return x


class TorchStage(nn.Module):
    """Residual blocks, then an invariant and four specific adaptors, fused."""

    def __init__(self, in_channels, spec, *, blocks_with_ibn, adaptors_with_ibn, with_se):
        super().__init__()
        channels = 4 * spec.planes
        blocks = spec.blocks - 1
        residual = spec._replace(blocks=blocks, non_local=min(spec.non_local, blocks))
        self.residual = TorchResidual(
            in_channels, residual, with_ibn=blocks_with_ibn, with_se=with_se
        )
        self.adaptor_base = Block(
            channels, spec.planes, with_ibn=False, with_se=with_se, norm=InstanceNorm
        )
        self.adaptor_sub = TorchBank(
            channels, spec.planes, with_ibn=adaptors_with_ibn, with_se=with_se
        )
        self.router = TorchRouter(channels)
        self.invariant_norm = nn.BatchNorm2d(channels)
        self.specific_norm = nn.BatchNorm2d(channels)
        self.meta_fuse = TorchGate(channels)
        self.meta_se = TorchMetaSE(channels)
        # Its output is used nowhere; it has its place in checkpoints.
        self.map = nn.BatchNorm2d(channels).requires_grad_(False)

    def forward(self, x):
        x = self.residual(x)
        weights = self.router(x)
        invariant = self.invariant_norm(self.adaptor_base(x))
        specific = self.specific_norm(self.adaptor_sub(x, weights))
        return self.meta_se(self.meta_fuse(invariant, specific)), weights


class TorchDynamicRouterResNet(nn.Module):
    """Stem and four stages, under the names of the original's checkpoints."""

    def __init__(self, spec, *, with_ibn, with_se=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, spec.stem_channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(spec.stem_channels)
        channels, stages = spec.stem_channels, []
        for s, stage_spec in enumerate(spec.stages, start=1):
            stage = TorchStage(
                channels,
                stage_spec,
                blocks_with_ibn=with_ibn and s < len(spec.stages),
                adaptors_with_ibn=with_ibn,
                with_se=with_se,
            )
            channels = 4 * stage_spec.planes
            stages.append(stage)
            self._name_parts(s, stage)
        # Registered above under other names, so not here.
        self.stages = tuple(stages)

    def _name_parts(self, s, stage):
        self.add_module(f"layer{s}", stage.residual.blocks)
        self.add_module(f"NL_{s}", stage.residual.non_local)
        self.add_module(f"adaptor{s}_base", stage.adaptor_base)
        self.add_module(f"adaptor{s}_sub", stage.adaptor_sub)
        for part in ("router", "invariant_norm", "specific_norm", "meta_fuse", "meta_se", "map"):
            self.add_module(f"{part}{s}", getattr(stage, part))

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        paths = []
        for stage in self.stages:
            x, weights = stage(x)
            paths.append(weights)
        return x, torch.cat(paths, 1)
