"""Expanded k-reciprocal neighbours as sparse vectors (Zhong et al., CVPR 2017, section 3)."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fastreid.utils.processor.threads import run_on_threads

# The reciprocal neighbours of a neighbour are added if more than this fraction of them is in the
# set already (section 3.2).
SHARED_TO_JOIN = 2 / 3
# Number of images that are processed at a time.
IMAGES_PER_TASK = 512


def neighbour_vectors(
    features: np.ndarray, nearest: np.ndarray, *, k1: int, k2: int
) -> sparse.csr_matrix:
    """Compute a sparse vector of neighbour weights for every image.

    Args:
        features: (N, D).
        nearest: (N, K) indices of each image's nearest images, nearest first, with K at most k1.
        k1: number of neighbours, including the image itself.
        k2: number of nearest images over which the vectors are averaged; 1 does not average.

    Returns:
        (N, N) float32 with about k1 to k1 * k2 entries per row; each row sums to 1.
    """
    search = _Reciprocal(features, nearest, k1)
    starts = range(0, len(features), IMAGES_PER_TASK)
    tasks = [slice(s, min(s + IMAGES_PER_TASK, len(features))) for s in starts]
    counts, members, weights = zip(*run_on_threads(search, tasks))
    ends = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    entries = (np.concatenate(weights), np.concatenate(members), ends)
    vectors = sparse.csr_matrix(entries, shape=(len(features), len(features)))
    return vectors if k2 == 1 else _averaged(vectors, nearest[:, :k2])


class _Reciprocal:
    """Finds and weights the expanded k-reciprocal neighbours of a slice of images.

    Args:
        features: (N, D).
        nearest: (N, K) indices.
        k1: see `neighbour_vectors`.
    """

    def __init__(self, features: np.ndarray, nearest: np.ndarray, k1: int) -> None:
        self._features = features
        self._nearest = nearest
        self._half = int(np.around(k1 / 2)) + 1
        self._is_mutual = _mutual(nearest)
        self._is_mutual_half = _mutual(nearest[:, : self._half])

    def __call__(self, images: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the number of neighbours per image, then all neighbours and all weights."""
        counts, members = self._members(images)
        weights = np.empty(len(members), np.float32)
        ends = np.cumsum(counts)
        for image, start, end in zip(range(images.start, images.stop), ends - counts, ends):
            # The set is empty if there are more copies of an image than neighbours.
            if start < end:
                offsets = self._features[members[start:end]]
                offsets -= self._features[image]
                dist = np.einsum("md,md->m", offsets, offsets)
                weight = np.exp(dist.min() - dist)
                weights[start:end] = weight / weight.sum()
        return counts, members, weights

    def _members(self, images: slice) -> tuple[np.ndarray, np.ndarray]:
        near, is_mutual = self._nearest[images], self._is_mutual[images]
        # (n, K, half): the reciprocal neighbours of each image's reciprocal neighbours.
        candidates = self._nearest[:, : self._half][near]
        is_candidate = self._is_mutual_half[near] & is_mutual[:, :, np.newaxis]
        is_shared = np.zeros_like(is_candidate)
        for member in np.where(is_mutual, near, -1).T:
            is_shared |= candidates == member[:, np.newaxis, np.newaxis]
        is_shared &= is_candidate
        joins = is_shared.sum(-1) > SHARED_TO_JOIN * is_candidate.sum(-1)
        joined = is_candidate & joins[:, :, np.newaxis]
        rows = np.concatenate([np.nonzero(is_mutual)[0], np.nonzero(joined)[0]])
        found = np.concatenate([near[is_mutual], candidates[joined]])
        keys = np.unique(rows * len(self._nearest) + found)
        rows, found = np.divmod(keys, len(self._nearest))
        return np.bincount(rows, minlength=len(near)), found.astype(np.int32)


def _mutual(nearest: np.ndarray) -> np.ndarray:
    """Return (N, K) bool: whether the image is among the K nearest of its neighbour."""

    def compare(images: slice) -> np.ndarray:
        own = np.arange(len(nearest), dtype=nearest.dtype)[images, np.newaxis, np.newaxis]
        return (nearest[nearest[images]] == own).any(-1)

    starts = range(0, len(nearest), IMAGES_PER_TASK)
    return np.concatenate(run_on_threads(compare, [slice(s, s + IMAGES_PER_TASK) for s in starts]))


def _averaged(vectors: sparse.csr_matrix, nearest: np.ndarray) -> sparse.csr_matrix:
    num_images, count = nearest.shape
    weights = np.full(nearest.size, 1 / count, vectors.dtype)
    ends = np.arange(0, nearest.size + 1, count)
    mean = sparse.csr_matrix((weights, nearest.ravel(), ends), shape=(num_images, num_images))
    return (mean @ vectors).tocsr()
