"""The softmax variants in torch, element by element."""

import torch
from torch.nn import functional


class TorchSoftmax(torch.nn.Module):
    """One variant by its formula."""

    def __init__(self, name, scale, margin):
        super().__init__()
        self.name, self.scale, self.margin = name, scale, margin

    def forward(self, cosines, targets):
        is_true = targets[:, None] == torch.arange(cosines.shape[1])
        return self.scale * torch.where(is_true, self.true(cosines), self.other(cosines))

    def true(self, c):
        weight = functional.relu(1 + self.margin - c.detach())
        return {
            "Linear": c,
            "CosSoftmax": c - self.margin,
            "ArcSoftmax": torch.cos(torch.acos(c) + self.margin),
            "CircleSoftmax": weight * (c - (1 - self.margin)),
        }[self.name]

    def other(self, c):
        if self.name == "CircleSoftmax":
            return functional.relu(c.detach() + self.margin) * (c - self.margin)
        return c
