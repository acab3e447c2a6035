"""ACL's losses on routing paths, centres and scatter (ECCV 2022, section 3.3)."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from fastreid.layers import cosine_gaps, l2_normalize

_INTRA_MARGIN = 0.1
_INTER_MARGIN = 0.3
_SMALLEST_SQUARE = 1e-12


def _membership(domainids: Tensor, num_domains: int) -> Tensor:
    """(num_domains, N) float: 1 where a row belongs to a domain."""
    return ops.one_hot(domainids, num_domains, Tensor(1.0, ms.float32), Tensor(0.0, ms.float32)).T


def _mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is 1; 0 if `mask` is 0 everywhere."""
    return (values * mask).sum() / ops.clamp(mask.sum(), min=1.0)


def _path_means(paths: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalized paths (N, P), scalar mean of each domain (D,), 1 where it is present (D,)."""
    paths = l2_normalize(paths)
    counts = members.sum(1)
    # As upstream, the centre is one scalar, the mean of all entries: docs/fidelity.md, Q1.
    means = ops.matmul(members, paths.mean(1, keep_dims=True)).reshape(-1)
    return paths, means / ops.clamp(counts, min=1.0), (counts > 0).astype(ms.float32)


def intra_domain_loss(paths: Tensor, domainids: Tensor, num_domains: int) -> Tensor:
    """Penalize distances above 0.1 between the routing paths of a domain and their centre.

    Args:
        paths: (N, P) routers' weights side by side.
        domainids: (N,) in [0, num_domains), int32.
        num_domains: number of source domains.

    Returns:
        The loss, a scalar; upstream ``intraCluster``.
    """
    members = _membership(domainids, num_domains)
    paths, means, present = _path_means(paths, members)
    centres = ops.broadcast_to(ops.matmul(means.reshape(1, -1), members).T, paths.shape)
    excess = (
        ops.relu(ops.sqrt(ops.clamp(((paths - centres) ** 2).sum(1), min=1e-12)) - _INTRA_MARGIN)
        ** 2
    )
    counts = ops.clamp(members.sum(1), min=1.0)
    per_domain = ops.matmul(members, excess.reshape(-1, 1)).reshape(-1) / counts
    return _mean_over(per_domain, present)


def inter_domain_loss(paths: Tensor, domainids: Tensor, num_domains: int) -> Tensor:
    """Penalize distances below 0.3 between the centres of the domains' routing paths.

    Args:
        paths: (N, P) routers' weights side by side.
        domainids: (N,) in [0, num_domains), int32.
        num_domains: number of source domains.

    Returns:
        The loss, a scalar; 0 for one domain, where upstream's ``interCluster`` returns a constant
        without gradient.
    """
    _, means, present = _path_means(paths, _membership(domainids, num_domains))
    size = (num_domains, num_domains)
    rows = ops.broadcast_to(means.reshape(-1, 1), size)
    shown = ops.broadcast_to(present.reshape(-1, 1), size)
    both = shown * shown.T * (1 - ops.eye(num_domains, num_domains, ms.float32))
    return _mean_over(ops.relu(_INTER_MARGIN - ops.abs(rows - rows.T)) ** 2, both)


def center_loss(distances: Tensor, num_classes: int) -> Tensor:
    """Mean squared distance of the features to the centres of their identities.

    Wen et al., ECCV 2016. Upstream sums a matrix (N, classes) in which the entries of other classes
    are masked and clamped to 1e-12. They add up to a constant, which is added here.

    Args:
        distances: (N,) squared distance of each row to the centre of its identity, of `MetaParam`.
        num_classes: identities of all source domains together.

    Returns:
        The loss, a scalar.
    """
    others = (num_classes - 1) * _SMALLEST_SQUARE
    return ops.clamp(distances, min=_SMALLEST_SQUARE, max=1e12).mean() + others


def scatter_loss(features: Tensor, domainids: Tensor, num_domains: int) -> Tensor:
    """Mean cosine similarity of a domain's features to their mean, mean over domains present.

    Minimising it spreads the features of a domain (MetaBIN's scatter loss, CVPR 2021); upstream
    ``domain_SCT_loss``.

    Args:
        features: (N, D).
        domainids: (N,) in [0, num_domains), int32.
        num_domains: number of source domains.

    Returns:
        The loss, a scalar in [-1, 1].

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.losses import scatter_loss
        >>> features, domains = ms.Tensor([[1.0, 0.0], [0.0, 1.0]]), ms.Tensor([0, 0], ms.int32)
        >>> round(float(scatter_loss(features, domains, 1)), 4)  # 45 degrees from their mean
        0.7071
    """
    members = _membership(domainids, num_domains)
    counts = members.sum(1)
    weights = members / ops.broadcast_to(ops.clamp(counts, min=1.0).reshape(-1, 1), members.shape)
    centres = ops.matmul(weights, l2_normalize(features))
    per_domain = ((1 - cosine_gaps(centres, features)) * weights).sum(1)
    return _mean_over(per_domain, (counts > 0).astype(ms.float32))
