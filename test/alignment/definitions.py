"""Losses by definition: plain loops in Python floats over rows and pairs."""

import math

import numpy as np

FAR = 1e9


def distances_of(rows, norm_feat):
    """Pair by pair, in float64."""
    rows = rows.astype(np.float64)
    n = len(rows)
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if norm_feat:
                cosine = rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
                result[i, j] = 2 - 2 * cosine
            else:
                result[i, j] = max(np.linalg.norm(rows[i] - rows[j]), 1e-6)
    return result


def mean_by_softmax(values, sign):
    if len(values) == 0:
        return 0.0
    weights = np.exp(sign * (values - values.max()))
    return float((weights * values).sum() / weights.sum())


def triplet(rows, targets, margin, norm_feat, hard_mining):
    distances = distances_of(rows, norm_feat)
    losses = []
    for i, target in enumerate(targets):
        positive, negative = distances[i][targets == target], distances[i][targets != target]
        if hard_mining:
            p, n = positive.max(), negative.min() if len(negative) else FAR
        else:
            p, n = mean_by_softmax(positive, 1), mean_by_softmax(negative, -1)
        losses.append(max(p - n + margin, 0) if margin > 0 else math.log1p(math.exp(p - n)))
    return float(np.mean(losses))


def row_loss(row, target, eps, alpha):
    """One row, class by class, in Python floats."""
    row = [float(value) for value in row]
    top = max(row)
    normalizer = top + math.log(sum(math.exp(value - top) for value in row))
    share = eps if eps >= 0 else alpha * math.exp(row[target] - normalizer)
    loss = 0.0
    for k, value in enumerate(row):
        weight = 1 - share if k == target else share / (len(row) - 1)
        loss -= weight * (value - normalizer)
    return loss


def cross_entropy(rows, targets, eps, alpha):
    losses = [row_loss(row, target, eps, alpha) for row, target in zip(rows, targets)]
    return sum(losses) / max(sum(loss != 0 for loss in losses), 1)


def domain_cross_entropy(logits_per_domain, targets, first_labels, eps, alpha):
    means = []
    for logits, first in zip(logits_per_domain, first_labels):
        count = logits.shape[1]
        mine = [i for i, target in enumerate(targets) if first <= target < first + count]
        if mine:
            means.append(cross_entropy(logits[mine], targets[mine] - first, eps, alpha))
    return sum(means) / len(means)


def pair_logit(kind, similarity, margin, gamma, positive):
    """Logit of one pair, from the papers' formulas."""
    if kind == "cosface":
        return -gamma * similarity if positive else gamma * (similarity + margin)
    if positive:
        return -gamma * max(1 + margin - similarity, 0) * (similarity - (1 - margin))
    return gamma * max(similarity + margin, 0) * (similarity - margin)


def pairwise(kind, embedding, targets, margin, gamma):
    """Pair by pair, in Python floats."""
    rows = embedding.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    losses = []
    for i in range(len(rows)):
        sums = {True: 0.0, False: 0.0}
        for j in range(len(rows)):
            if i != j:
                positive = bool(targets[i] == targets[j])
                sums[positive] += math.exp(
                    pair_logit(kind, rows[i] @ rows[j], margin, gamma, positive)
                )
        losses.append(math.log1p(sums[True] * sums[False]))
    return float(np.mean(losses))


def focal(logits, targets, alpha, gamma):
    losses = []
    for row, target in zip(logits.astype(np.float64), targets):
        p = math.exp(row[target]) / sum(math.exp(value) for value in row)
        losses.append(-alpha * (1 - p) ** gamma * math.log(p))
    return np.array(losses)


def scalar_centres(paths, domainids):
    rows = paths / np.linalg.norm(paths, axis=1, keepdims=True)
    return rows, {d: rows[domainids == d].mean() for d in sorted(set(domainids.tolist()))}


def intra_domain(paths, domainids):
    rows, centres = scalar_centres(paths.astype(np.float64), domainids)
    means = []
    for domain, centre in centres.items():
        costs = []
        for row in rows[domainids == domain]:
            distance = np.sqrt(sum((value - centre) ** 2 for value in row))
            costs.append(max(distance - 0.1, 0) ** 2)
        means.append(np.mean(costs))
    return float(np.mean(means))


def inter_domain(paths, domainids):
    _, centres = scalar_centres(paths.astype(np.float64), domainids)
    costs = [
        max(0.3 - abs(centres[a] - centres[b]), 0) ** 2 for a in centres for b in centres if a < b
    ]
    return float(np.mean(costs)) if costs else 0.0


def scatter(features, domainids):
    rows = features.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    means = []
    for domain in sorted(set(domainids.tolist())):
        mine = rows[domainids == domain]
        centre = mine.mean(0)
        means.append(np.mean([row @ centre / np.linalg.norm(centre) for row in mine]))
    return float(np.mean(means))


def cross_domain_triplet(rows, targets, domains):
    """Hardest positive: the row itself or any of another domain; negative: others of its own."""
    distances, count = distances_of(rows, False), len(rows)
    gaps = []
    for i in range(count):
        positive = [distances[i, j] for j in range(count) if i == j or domains[i] != domains[j]]
        negative = [
            distances[i, j]
            for j in range(count)
            if domains[i] == domains[j] and targets[i] != targets[j]
        ]
        gaps.append(max(positive) - min(negative, default=FAR))
    return float(np.mean([math.log1p(math.exp(gap)) for gap in gaps]))


def soft_margin(positive, negative):
    """Softplus of the gaps; a margin of 0.3 where a float32 exponential of a gap overflows."""
    gaps = [float(p) - float(n) for p, n in zip(positive, negative)]
    if max(gaps) > math.log(np.finfo(np.float32).max):
        return float(np.mean([max(gap + 0.3, 0) for gap in gaps]))
    return float(np.mean([math.log1p(math.exp(gap)) for gap in gaps]))


def center(distances, targets, num_classes):
    """Own classes' distances, clamped, as are the zeros of all others; per row."""
    total = 0.0
    for distance, target in zip(distances, targets):
        for k in range(num_classes):
            total += min(max(float(distance) if k == target else 0.0, 1e-12), 1e12)
    return total / len(distances)
