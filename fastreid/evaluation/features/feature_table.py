"""Features and labels of a test set, collected batch by batch into one array."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastreid.utils.compute_dist import SHORTEST_NORM, normalize_features
from fastreid.utils.labels import LabelNames, whole_numbers

# Number of rows by which the array grows: 64 MB of 2048-dimensional features.
GROWTH = 8192


class ImageFeatures(NamedTuple):
    """Features and labels of N images: queries, gallery or both.

    Attributes:
        features: (N, D).
        pids: (N,) numbers of the identities.
        camids: (N,) numbers of the cameras.
        paths: (N,) paths of the image files.
        pid_names: (N,) original texts of the identities; None if unknown.
        camid_names: (N,) original texts of the cameras; None if unknown.
    """

    features: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    paths: np.ndarray
    pid_names: np.ndarray | None = None
    camid_names: np.ndarray | None = None

    def rows(self, rows: slice | np.ndarray) -> ImageFeatures:
        """Select images; with a slice the arrays are views.

        Args:
            rows: (R,) indices or a slice.

        Returns:
            The selected images.
        """
        return ImageFeatures._make(None if column is None else column[rows] for column in self)

    def with_names(self, names: LabelNames | None) -> ImageFeatures:
        """Set the original texts of the labels.

        Args:
            names: texts of the N images; None if unknown.

        Returns:
            The images with the texts.

        Raises:
            ValueError: the number of texts is not N.
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
    """Collects batches in one array, without a second copy in memory.

    Args:
        are_unit: whether features are normalized when they are added.
    """

    def __init__(self, *, are_unit: bool) -> None:
        self._are_unit = are_unit
        self._features = np.empty((0, 0), np.float32)
        self._length = 0
        self._has_views = False
        self._labels: list[tuple[np.ndarray, ...]] = []

    def __len__(self) -> int:
        return self._length

    def add(self, batch: ImageFeatures) -> None:
        """Add a batch.

        Args:
            batch: N images; the names of their labels are dropped.

        Raises:
            ValueError: columns differ in length; features are zero, not finite, or of another
                dimension than earlier ones; or a label is not a whole number of 64 bits.
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

    def add_outputs(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Add a batch of `inference_on_dataset`.

        Args:
            inputs: the batch, with columns targets, camids and img_paths, (N,) each.
            outputs: (N, D) features.

        Raises:
            ValueError: as in `add`.
        """
        labels = (np.asarray(inputs[name]) for name in ("targets", "camids", "img_paths"))
        self.add(ImageFeatures(np.asarray(outputs), *labels))

    def _check(self, features: np.ndarray, paths: np.ndarray) -> None:
        if self._length and features.shape[1] != self._features.shape[1]:
            raise ValueError(
                f"Features of {paths[0]} have {features.shape[1]} dimensions, earlier features "
                f"{self._features.shape[1]}: they are not from the same model."
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
                f"{paths[empty[0]]}. Likely cause: the activations of the model's last layers are "
                "all zero, or the weights do not belong to this config."
            )

    def _reserve(self, rows: int, dimension: int) -> None:
        if rows <= len(self._features):
            return
        if not self._length:
            self._features = np.empty((max(rows, GROWTH), dimension), np.float32)
            return
        shape = (max(rows, len(self._features) + GROWTH), dimension)
        if self._has_views:
            # A view would keep the old memory, so the array cannot be resized in place.
            old, self._features = self._features, np.empty(shape, np.float32)
            self._features[: self._length] = old[: self._length]
            self._has_views = False
        else:
            # The operating system remaps the pages of a large array instead of copying them.
            self._features.resize(shape, refcheck=False)

    def images(self) -> ImageFeatures:
        """Return all images added so far, as views of the array.

        Returns:
            N images, in the order in which they were added.
        """
        if len(self._labels) > 1:
            self._labels = [tuple(np.concatenate(column) for column in zip(*self._labels))]
        self._has_views = True
        nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.str_))
        labels = self._labels[0] if self._labels else nothing
        return ImageFeatures(self._features[: self._length], *labels)
