"""Losses in torch, written from their formulas."""

import torch
from torch.nn import functional

FAR = 1e9


def torch_triplet(x, targets, margin, norm_feat, hard_mining):
    if norm_feat:
        x = functional.normalize(x)
        distances = 2 - 2 * x @ x.T
    else:
        distances = (x[:, None] - x[None]).pow(2).sum(-1).clamp(min=1e-12).sqrt()
    same = targets[:, None] == targets[None]
    if hard_mining:
        p = distances.masked_fill(~same, -1).max(1).values
        n = distances.masked_fill(same, FAR).min(1).values
    else:
        p = (distances.masked_fill(~same, -FAR).softmax(1) * distances).sum(1)
        n = ((-distances).masked_fill(same, -FAR).softmax(1) * distances).sum(1)
    gap = p - n
    return (torch.relu(gap + margin) if margin > 0 else functional.softplus(gap)).mean()


def torch_cross_entropy(logits, targets, eps, alpha):
    log_probs = torch.log_softmax(logits, 1)
    one_hot = functional.one_hot(targets.long(), logits.shape[1])
    if eps >= 0:
        share = torch.full((len(logits), 1), eps, dtype=logits.dtype)
    else:
        share = alpha * (log_probs.exp() * one_hot).sum(1, keepdim=True).detach()
    soft = one_hot * (1 - share) + (1 - one_hot) * share / (logits.shape[1] - 1)
    losses = -(soft * log_probs).sum(1)
    return losses.sum() / (losses != 0).sum().clamp(min=1)


def torch_pairwise(kind, x, targets, margin, gamma):
    rows = functional.normalize(x)
    s = rows @ rows.T
    same = targets[:, None] == targets[None, :]
    positive = same & ~torch.eye(len(x), dtype=torch.bool)
    if kind == "circle":
        p = -gamma * torch.relu(1 + margin - s.detach()) * (s - (1 - margin))
        n = gamma * torch.relu(s.detach() + margin) * (s - margin)
    else:
        p, n = -gamma * s, gamma * (s + margin)
    p = torch.where(positive, p, torch.full_like(p, -1e8)).logsumexp(1)
    n = torch.where(~same, n, torch.full_like(n, -1e8)).logsumexp(1)
    return functional.softplus(p + n).mean()


def torch_intra(x, domainids):
    rows = functional.normalize(x)
    costs = []
    for domain in domainids.unique():
        mine = rows[domainids == domain]
        costs.append(torch.relu((mine - mine.mean()).norm(dim=1) - 0.1).pow(2).mean())
    return torch.stack(costs).mean()


def torch_inter(x, domainids):
    rows = functional.normalize(x)
    means = [rows[domainids == domain].mean() for domain in domainids.unique()]
    costs = [torch.relu(0.3 - (a - b).abs()).pow(2) for i, a in enumerate(means) for b in means[:i]]
    return torch.stack(costs).mean() if costs else 0 * x.sum()


def torch_scatter(x, domainids):
    rows = functional.normalize(x)
    means = []
    for domain in domainids.unique():
        mine = rows[domainids == domain]
        means.append(torch.cosine_similarity(mine, mine.mean(0, keepdim=True)).mean())
    return torch.stack(means).mean()


def torch_margin(positive, negative, margin):
    return torch.relu(positive - negative + margin).mean()


def torch_soft_margin(positive, negative):
    return functional.softplus(positive - negative).mean()


def torch_euclidean(x):
    return (x[:, None] - x[None]).pow(2).sum(-1).clamp(min=1e-12).sqrt()


def torch_hardest(distances, is_positive, is_negative):
    positive = torch.where(is_positive, distances, torch.zeros_like(distances)).max(1).values
    far = torch.full_like(distances, FAR)
    return positive, torch.where(is_negative, distances, far).min(1).values


def torch_focal(logits, targets, alpha, gamma):
    p = logits.softmax(1)[range(len(logits)), targets.long()]
    return (-alpha * (1 - p) ** gamma * p.log()).mean()


def torch_domain_cross_entropy(logits_per_domain, targets, first_labels, eps, alpha):
    losses = []
    for logits, first in zip(logits_per_domain, first_labels):
        mine = (first <= targets) & (targets < first + logits.shape[1])
        if mine.any():
            losses.append(torch_cross_entropy(logits[mine], targets[mine] - first, eps, alpha))
    return torch.stack(losses).mean()


def torch_center(distances, targets, num_classes):
    """From distances (N,) to the own centres, in a matrix where all others are masked out."""
    own = functional.one_hot(targets.long(), num_classes)
    return (distances[:, None] * own).clamp(1e-12, 1e12).sum() / len(distances)


def torch_identity_margin(features, targets):
    same = targets[:, None] == targets[None]
    return torch_margin(*torch_hardest(torch_euclidean(features), same, ~same), 0.3)


def torch_cross_domain_triplet(features, targets, domainids):
    """Positives are the row itself and all of other domains, negatives others of its domain."""
    same_domain = domainids[:, None] == domainids[None]
    same = targets[:, None] == targets[None]
    positive = ~same_domain | torch.eye(len(features), dtype=torch.bool)
    pairs = torch_hardest(torch_euclidean(features), positive, same_domain & ~same)
    return torch_soft_margin(*pairs)
