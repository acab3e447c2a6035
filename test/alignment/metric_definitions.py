"""Retrieval metrics by definition: one query, one gallery image, one pair after the other."""

import numpy as np


def rank(distmat, q_pids, g_pids, q_camids, g_camids, max_rank):
    """The definition, one gallery image after the other."""
    cmcs, aps, inps, valid = [], [], [], []
    for query, dist in enumerate(distmat):
        hits, seen, precisions, cmc = 0, 0, [], []
        for place in sorted(range(len(dist)), key=lambda g: (dist[g], g)):
            is_right = g_pids[place] == q_pids[query]
            if is_right and g_camids[place] == q_camids[query]:
                continue
            seen += 1
            if is_right:
                hits += 1
                precisions.append(hits / seen)
            cmc.append(hits > 0)
        if hits:
            cmcs.append((cmc + [True] * max_rank)[:max_rank])
            aps.append(sum(precisions) / hits)
            inps.append(precisions[-1])
            valid.append(query)
    return np.mean(cmcs, axis=0), aps, inps, valid


def jaccard(features, num_query, k1, k2):
    """Zhong et al. with sets and a dense matrix."""
    count = len(features)
    dist = ((features[:, None] - features[None]).astype(np.float64) ** 2).sum(-1)
    rank = np.argsort(dist, axis=1, kind="stable")[:, :k1]

    def reciprocal(image, k):
        return {j for j in rank[image, :k] if image in rank[j, :k]}

    vectors = np.zeros((count, count))
    for image in range(count):
        members = reciprocal(image, k1)
        grown = set(members)
        for member in members:
            half = reciprocal(member, int(np.around(k1 / 2)) + 1)
            if 3 * len(half & members) > 2 * len(half):
                grown |= half
        columns = sorted(grown)
        weights = np.exp(-dist[image, columns])
        vectors[image, columns] = weights / weights.sum()
    if k2 > 1:
        vectors = np.stack([vectors[rank[image, :k2]].mean(0) for image in range(count)])
    smaller = np.minimum(vectors[:num_query, None], vectors[None, num_query:]).sum(-1)
    larger = np.maximum(vectors[:num_query, None], vectors[None, num_query:]).sum(-1)
    return 1 - smaller / larger


def expansion(features, k, alpha):
    norms = np.linalg.norm(features, axis=1)
    expanded = []
    for feature, norm in zip(features, norms):
        similarity = features @ feature / (norms * norm)
        nearest = np.argsort(-similarity)[:k]
        expanded.append(sum(similarity[n] ** alpha * features[n] for n in nearest) / len(nearest))
    return np.array(expanded)


def distance(a, b, metric):
    a, b = a.astype(np.float64), b.astype(np.float64)
    if metric == "euclidean":
        return ((a - b) ** 2).sum()
    return 1 - a @ b / np.sqrt((a @ a) * (b @ b))


def rates(scores, labels):
    """(false, true) positive rate at every threshold, from taking nothing to taking all."""
    points = [(0.0, 0.0)]
    for threshold in np.unique(scores)[::-1]:
        taken = scores >= threshold
        wrong, right = (taken & ~labels).sum(), (taken & labels).sum()
        points.append((wrong / (~labels).sum(), right / labels.sum()))
    return np.array(points)
