"""Layers in torch, written from their formulas."""

import torch
from torch import nn
from torch.nn import functional


class TorchIBN(nn.Module):
    """Instance norm on the first half, batch norm on the rest."""

    def __init__(self, channels):
        super().__init__()
        self.half = channels // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.half)

    def forward(self, x):
        return torch.cat((self.IN(x[:, : self.half]), self.BN(x[:, self.half :])), 1)


class TorchSE(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels, reduction):
        super().__init__()
        hidden = channels // reduction
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class TorchNonLocal(nn.Module):
    """All pairs of pixels, written out."""

    def __init__(self, channels):
        super().__init__()
        self.g = nn.Conv2d(channels, 1, 1)
        self.theta = nn.Conv2d(channels, 1, 1)
        self.phi = nn.Conv2d(channels, 1, 1)
        self.W = nn.Sequential(nn.Conv2d(1, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x):
        n, _, h, w = x.shape
        g, theta, phi = (part(x).reshape(n, h * w) for part in (self.g, self.theta, self.phi))
        pairs = theta[:, :, None] * phi[:, None, :]
        mixed = (pairs * g[:, None, :]).sum(2) / (h * w)
        return x + self.W(mixed.reshape(n, 1, h, w))


class TorchGeM(nn.Module):
    """Generalized mean."""

    def __init__(self, norm=3.0, learned=False):
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), norm)) if learned else norm

    def forward(self, x):
        return functional.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(self.p), 1).pow(1 / self.p)


class TorchAvgMax(nn.Module):
    """Sum of mean and maximum."""

    def forward(self, x):
        return functional.adaptive_avg_pool2d(x, 1) + functional.adaptive_max_pool2d(x, 1)


class TorchClipAvg(nn.Module):
    """Mean, kept in [0, 1]."""

    def forward(self, x):
        return functional.adaptive_avg_pool2d(x, 1).clamp(0, 1)


POOLINGS = {
    "Identity": nn.Identity,
    "Flatten": lambda: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (-1, 1, 1))),
    "GlobalAvgPool": lambda: nn.AdaptiveAvgPool2d(1),
    "FastGlobalAvgPool": lambda: nn.AdaptiveAvgPool2d(1),
    "GlobalMaxPool": lambda: nn.AdaptiveMaxPool2d(1),
    "GeneralizedMeanPooling": TorchGeM,
    "GeneralizedMeanPoolingP": lambda: TorchGeM(learned=True),
    "AdaptiveAvgMaxPool": TorchAvgMax,
    "ClipGlobalAvgPool": TorchClipAvg,
}
