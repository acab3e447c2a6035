"""Features on disk: an .npz file with features, pids, camids, paths and which are queries."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .evaluator import DatasetEvaluator
from .feature_table import FeatureTable, ImageFeatures

COLUMNS = ("features", "pids", "camids", "paths")
# pid and camid of an image that nothing is known about.
UNKNOWN = -1


class FeatureSet(NamedTuple):
    """What a file holds.

    Attributes:
        images: (N, D) features and (N,) labels; queries come first.
        num_query: the first so many images are queries; 0 for a plain folder.
        name: of the data set or folder.
        config: YAML text of the model's configuration; empty: not known.
    """

    images: ImageFeatures
    num_query: int
    name: str
    config: str = ""

    @property
    def query(self) -> ImageFeatures:
        """The queries."""
        return self.images.rows(slice(self.num_query))

    @property
    def gallery(self) -> ImageFeatures:
        """All other images."""
        return self.images.rows(slice(self.num_query, None))


class FeatureCollector(DatasetEvaluator):
    """Keeps the features that `inference_on_dataset` gives, unscored.

    Args:
        num_query: the first so many rows of the data set are queries.
        name: of the data set.
    """

    def __init__(self, num_query: int = 0, name: str = "") -> None:
        self._num_query = num_query
        self._name = name
        self.reset()

    def reset(self) -> None:
        """Forget the features."""
        self._table = FeatureTable(are_unit=False)

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Take in one batch.

        Args:
            inputs: columns targets, camids and img_paths, (N,).
            outputs: (N, D) features.

        Raises:
            ValueError: features are not finite, zero, or of another dimension than those before.
        """
        labels = (np.asarray(inputs[name]) for name in ("targets", "camids", "img_paths"))
        self._table.add(ImageFeatures(np.asarray(outputs), *labels))

    def evaluate(self) -> FeatureSet:
        """Give the features.

        Returns:
            All images that came in.
        """
        return FeatureSet(self._table.images(), self._num_query, self._name)


def save_features(path: str | Path, features: FeatureSet) -> None:
    """Write features to a file.

    Args:
        path: ends with .npz; its folder is made where it is missing.
        features: N images.

    Raises:
        ValueError: the path ends otherwise.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"Feature files end with .npz, unlike {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = dict(zip(COLUMNS, features.images))
    columns["paths"] = np.asarray(features.images.paths, np.str_)
    about = {"num_query": features.num_query, "name": features.name, "config": features.config}
    np.savez(path, **columns, **about)


def load_features(path: str | Path) -> FeatureSet:
    """Read features from a file, and check them.

    Args:
        path: of `save_features`, or of your own making: features (N, D), pids, camids and paths
            (N,); num_query, name and config may be missing.

    Returns:
        The images.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no feature file, or features are broken; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no feature file {path}; make it with tools/extract_features.py."
        )
    columns = _read(path)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise ValueError(
            f"{path} is no feature file: it lacks {', '.join(missing)}. Make it with "
            "tools/extract_features.py."
        )
    num_query = int(columns.get("num_query", 0))
    table = FeatureTable(are_unit=False)
    try:
        table.add(ImageFeatures(*(columns[name] for name in COLUMNS)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not 0 <= num_query <= len(table):
        raise ValueError(f"{path}: num_query is {num_query}, but there are {len(table)} images.")
    name, config = str(columns.get("name", path.stem)), str(columns.get("config", ""))
    return FeatureSet(table.images(), num_query, name, config)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no feature file (.npz): {error}") from error
