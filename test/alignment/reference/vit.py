"""A block of a vision transformer in torch, from the papers, with the published names."""

import torch
from torch import nn
from torch.nn import functional


class TorchAttention(nn.Module):
    """Heads one after the other, so that their order in the projection is explicit."""

    def __init__(self, width, heads, *, qkv_bias=True, scale=None):
        super().__init__()
        self.heads, self.width = heads, width
        self.scale = scale or 1 / (width // heads) ** 0.5
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        queries, keys, values = self.qkv(x).split(self.width, dim=2)
        size = self.width // self.heads
        mixed = []
        for first in range(0, self.width, size):
            q, k, v = (part[..., first : first + size] for part in (queries, keys, values))
            weights = functional.softmax(self.scale * torch.bmm(q, k.mT), dim=2)
            mixed.append(torch.bmm(weights, v))
        return self.proj(torch.cat(mixed, dim=2))


class TorchMlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class TorchBlock(nn.Module):
    """Norm, attention, norm, perceptron; `factors` (2, N) weight both branches of each image."""

    def __init__(self, width, heads, *, mlp_ratio, **attention):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn = TorchAttention(width, heads, **attention)
        self.mlp = TorchMlp(width, int(mlp_ratio * width))

    def forward(self, x, factors=None):
        first, second = (1, 1) if factors is None else factors[:, :, None, None]
        x = x + first * self.attn(self.norm1(x))
        return x + second * self.mlp(self.norm2(x))
