"""Heads in torch, their training outputs side by side."""

import torch
from torch.nn import functional


class TorchHead(torch.nn.Module):
    """The head in torch."""

    def __init__(self, options):
        super().__init__()
        self.options = options
        channels = options["embedding_dim"] or options["feat_dim"]
        layers = []
        if options["embedding_dim"]:
            layers.append(torch.nn.Conv2d(options["feat_dim"], channels, 1, bias=False))
        if options["with_bnneck"]:
            layers.append(torch.nn.BatchNorm2d(channels))
            layers[-1].bias.requires_grad_(False)
        self.bottleneck = torch.nn.Sequential(*layers)
        self.weight = torch.nn.Parameter(torch.zeros(options["num_classes"], channels))

    def forward(self, x, targets=None):
        pooled = x.mean((2, 3), keepdim=True)
        neck = self.bottleneck(pooled).flatten(1)
        if not self.training:
            return neck
        weight, features = self.weight, neck
        if self.options["cls_type"] != "Linear":
            weight, features = functional.normalize(weight), functional.normalize(neck)
        logits = features @ weight.T
        margins = functional.one_hot(targets.long(), logits.shape[1]) * self.options["margin"]
        metric = neck if self.options["neck_feat"] == "after" else pooled.flatten(1)
        scale = self.options["scale"]
        return torch.cat(((logits - margins) * scale, logits * scale, metric), 1)


class Centers(torch.nn.Module):
    def __init__(self, num_classes, channels):
        super().__init__()
        self.centers = torch.nn.Parameter(torch.zeros(num_classes, channels))


class TorchMetaHead(torch.nn.Module):
    """The head in torch, its outputs side by side."""

    def __init__(self, options):
        super().__init__()
        self.options = options
        self.counts = options["classes_per_domain"]
        channels = options["embedding_dim"] or options["feat_dim"]
        layers = []
        if options["embedding_dim"]:
            layers.append(torch.nn.Conv2d(options["feat_dim"], channels, 1, bias=False))
        if options["with_bnneck"]:
            layers.append(torch.nn.BatchNorm2d(channels))
            layers[-1].bias.requires_grad_(False)
        self.bottleneck = torch.nn.Sequential(*layers)
        for i, count in enumerate(self.counts):
            setattr(self, f"weight{i + 1}", torch.nn.Linear(channels, count, bias=False))
        self.center = Centers(sum(self.counts), channels)

    def forward(self, x, targets=None):
        if self.options["pool_type"] == "GlobalAvgPool":
            pooled = x.mean((2, 3), keepdim=True)
        else:
            pooled = x.clamp(min=1e-6).pow(3).mean((2, 3), keepdim=True).pow(1 / 3)
        neck = self.bottleneck(pooled).flatten(1)
        if not self.training:
            return neck
        scale, margin = self.options["scale"], self.options["margin"]
        outputs, plain, first = [], [], 0
        for i, count in enumerate(self.counts):
            weight, features = getattr(self, f"weight{i + 1}").weight, neck
            if self.options["cls_type"] != "Linear":
                weight, features = functional.normalize(weight), functional.normalize(neck)
            logits = features @ weight.T
            # Rows of other domains keep some class here; the losses never look at them.
            local = (targets.long() - first).clamp(0, count - 1)
            one_hot = functional.one_hot(local, count)
            if self.options["cls_type"] == "CircleSoftmax":
                fixed = logits.detach()
                own = torch.relu(1 + margin - fixed) * (logits - (1 - margin))
                other = torch.relu(fixed + margin) * (logits - margin)
                outputs.append(torch.where(one_hot > 0, own, other) * scale)
            else:
                outputs.append((logits - one_hot * margin) * scale)
            plain.append(logits * scale)
            first += count
        # All to all, of which ours computes only the own ones.
        matrix = (neck[:, None] - self.center.centers[None]).pow(2).sum(-1)
        distances = matrix[torch.arange(len(neck)), targets.long()][:, None]
        before = self.options["neck_feat"] == "before"
        metric = pooled.flatten(1) if before else functional.normalize(neck)
        return torch.cat((*outputs, *plain, distances, metric), 1)
