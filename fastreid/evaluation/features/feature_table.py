"""Features and labels of a test set, written once into one array as they come in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastreid.utils.compute_dist import SHORTEST_NORM, normalize_features
from fastreid.utils.labels import LabelNames, whole_numbers

# Rows that the array grows by: 64 MB of 2048-dimensional features.
GROWTH = 8192


class ImageFeatures(NamedTuple):
    """Queries, gallery or both.

    Attributes:
        features: (N, D).
        pids: (N,) numbers of the identities.
        camids: (N,) numbers of the cameras.
        paths: (N,) files.
        pid_names: (N,) identities as they were written; None: not known.
        camid_names: (N,) cameras as they were written; None: not known.
    """

    features: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    paths: np.ndarray
    pid_names: np.ndarray | None = None
    camid_names: np.ndarray | None = None

    def rows(self, rows: slice | np.ndarray) -> ImageFeatures:
        """Some of the images; not copied if they are a slice.

        Args:
            rows: (R,) indices or a slice.

        Returns:
            R of the N rows of every column.
        """
        return ImageFeatures._make(None if column is None else column[rows] for column in self)

    def with_names(self, names: LabelNames | None) -> ImageFeatures:
        """Add identities and cameras as they were written.

        Args:
            names: of the N images; None: not known.

        Returns:
            The same images.

        Raises:
            ValueError: there are more or fewer names than images.
        """
        if names is None:
            return self
        lengths = {len(self.pids), len(names.pids), len(names.camids)}
        if len(lengths) != 1:
            raise ValueError(
                f"There are {len(self.pids)} images, but the names of {len(names.pids)} identities "
                f"and {len(names.camids)} cameras; give one of each per image."
            )
        return self._replace(pid_names=names.pids, camid_names=names.camids)


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
            batch: N images; their names are not kept.

        Raises:
            ValueError: columns differ in length, features have another dimension than those
                before, are not finite or have length zero, or a label is not a whole number of 64
                bits; the message names an image or the number.
        """
        lengths = [len(column) for column in batch[:4]]
        if len(set(lengths)) != 1 or np.ndim(batch.features) != 2:
            raise ValueError(
                "A batch must have one feature, pid, camid and path per image, not "
                f"{dict(zip(batch._fields, lengths))}, features of shape "
                f"{np.shape(batch.features)}."
            )
        features = np.asarray(batch.features, np.float32)
        pids, camids = whole_numbers(batch.pids, "pid"), whole_numbers(batch.camids, "camid")
        self._check(features, batch.paths)
        end = self._length + len(features)
        self._reserve(end, features.shape[1])
        kept = self._features[self._length : end]
        if self._are_unit:
            normalize_features(features, out=kept)
        else:
            kept[:] = features
        self._length = end
        self._labels.append((pids.copy(), camids.copy(), np.array(batch.paths)))

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
        nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.str_))
        labels = self._labels[0] if self._labels else nothing
        return ImageFeatures(self._features[: self._length], *labels)
