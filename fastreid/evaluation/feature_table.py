"""Features and labels of a test set, written once into one array as they come in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastreid.utils.compute_dist import SHORTEST_NORM, normalize_features

# Rows that the array grows by: 64 MB of 2048-dimensional features.
GROWTH = 8192


class ImageFeatures(NamedTuple):
    """Queries, gallery or both: (N, D) features, (N,) pids and camids, N paths."""

    features: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    paths: np.ndarray

    def rows(self, rows: slice | np.ndarray) -> ImageFeatures:
        """Some of the images; not copied if they are a slice.

        Args:
            rows: (R,) indices or a slice.

        Returns:
            R of the N rows of every column.
        """
        return ImageFeatures(*(column[rows] for column in self))


class FeatureTable:
    """Gathers batches without holding a feature twice.

    Args:
        are_unit: scale features to length 1 as they come in.
    """

    def __init__(self, *, are_unit: bool) -> None:
        self._are_unit = are_unit
        self._features = np.empty((0, 0), np.float32)
        self._length = 0
        self._is_lent = False
        self._labels: list[tuple[np.ndarray, ...]] = []

    def __len__(self) -> int:
        return self._length

    def add(self, batch: ImageFeatures) -> None:
        """Take in a batch.

        Args:
            batch: N images.

        Raises:
            ValueError: columns differ in length, features have another dimension than those
                before, are not finite or have length zero; the message names an image.
        """
        lengths = [len(column) for column in batch]
        if len(set(lengths)) != 1 or np.ndim(batch.features) != 2:
            raise ValueError(
                "A batch must have one feature, pid, camid and path per image, not "
                f"{dict(zip(batch._fields, lengths))}, features of shape "
                f"{np.shape(batch.features)}."
            )
        features = np.asarray(batch.features, np.float32)
        self._check(features, batch.paths)
        end = self._length + len(features)
        self._reserve(end, features.shape[1])
        kept = self._features[self._length : end]
        if self._are_unit:
            normalize_features(features, out=kept)
        else:
            kept[:] = features
        self._length = end
        self._labels.append(tuple(np.array(column) for column in batch[1:]))

    def _check(self, features: np.ndarray, paths: np.ndarray) -> None:
        if self._length and features.shape[1] != self._features.shape[1]:
            raise ValueError(
                f"Features of {paths[0]} have {features.shape[1]} dimensions, those before "
                f"{self._features.shape[1]}: they are not of one model."
            )
        broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if len(broken):
            raise ValueError(
                f"Features of {len(broken)} of {len(features)} images in a batch are not finite "
                f"(NaN or infinite), first {paths[broken[0]]}. Likely cause: training diverged, or "
                "the checkpoint is damaged; try an earlier checkpoint or a lower SOLVER.BASE_LR."
            )
        empty = np.flatnonzero(np.linalg.norm(features, axis=1) < SHORTEST_NORM)
        if len(empty):
            raise ValueError(
                f"Features of {len(empty)} of {len(features)} images in a batch are zero, first "
                f"{paths[empty[0]]}: they say nothing about any image. Likely cause: the model's "
                "last layers are dead, or the weights are not those of this config."
            )

    def _reserve(self, rows: int, dimension: int) -> None:
        if rows <= len(self._features):
            return
        if not self._length:
            self._features = np.empty((max(rows, GROWTH), dimension), np.float32)
            return
        shape = (max(rows, len(self._features) + GROWTH), dimension)
        if self._is_lent:
            lent, self._features = self._features, np.empty(shape, np.float32)
            self._features[: self._length] = lent[: self._length]
            self._is_lent = False
        else:
            # The memory of a large array is moved by the page tables, not copied.
            self._features.resize(shape, refcheck=False)

    def images(self) -> ImageFeatures:
        """Give all that came in so far; not a copy.

        Returns:
            N images, in their order.
        """
        if len(self._labels) > 1:
            self._labels = [tuple(np.concatenate(column) for column in zip(*self._labels))]
        self._is_lent = True
        labels = self._labels[0] if self._labels else (np.empty(0),) * 3
        return ImageFeatures(self._features[: self._length], *labels)
