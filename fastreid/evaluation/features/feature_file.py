"""Feature files: .npz files with features, identities, cameras, paths and the number of queries."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastreid.utils.atomic_file import replacing
from fastreid.utils.file_io.paths import absolute_path
from fastreid.utils.labels import LabelNames, number_labels, whole_numbers

from ..evaluator import DatasetEvaluator
from .feature_table import FeatureTable, ImageFeatures

COLUMNS = ("features", "pids", "camids", "paths")
# Optional: older files and files of other programs do not have them.
NAME_COLUMNS = ("pid_names", "camid_names")
# Number of dimensions of a column, 1 if not listed; allowed NumPy kinds, and the word for them.
_DIMENSIONS = {"features": 2}
_KINDS = {"features": ("fiu", "numbers"), "paths": ("U", "texts")}


class FeatureSet(NamedTuple):
    """Content of a feature file.

    Attributes:
        images: N images, queries first.
        num_query: number of queries; 0 for a plain folder of images.
        name: name of the data set or folder.
        config: YAML text of the model's configuration; "" if unknown.
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
    """Collects the features of `inference_on_dataset` without scoring them.

    Args:
        num_query: number of queries, which are the first rows of the data set.
        name: name of the data set.
        label_names: original texts of the labels of its N rows; None if unknown.
    """

    def __init__(
        self, num_query: int = 0, name: str = "", *, label_names: LabelNames | None = None
    ) -> None:
        self._num_query = num_query
        self._name = name
        self._label_names = label_names
        self.reset()

    def reset(self) -> None:
        """Discard the features."""
        self._table = FeatureTable(are_unit=False)

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Collect one batch.

        Args:
            inputs: the batch, with columns targets, camids and img_paths, (N,) each.
            outputs: (N, D) features.

        Raises:
            ValueError: features are zero, not finite, or of another dimension than earlier ones.
        """
        self._table.add_outputs(inputs, outputs)

    def evaluate(self) -> FeatureSet:
        """Return the collected features.

        Returns:
            All collected images.

        Raises:
            ValueError: the number of label names is not that of the images.
        """
        images = self._table.images().with_names(self._label_names)
        return FeatureSet(images, self._num_query, self._name)


def save_features(path: str | Path, features: FeatureSet) -> None:
    """Write a feature file; paths of images are stored as absolute paths.

    Args:
        path: path that ends with .npz; its folder is created if necessary.
        features: the content.

    Raises:
        ValueError: the path does not end with .npz.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"The name of a feature file must end with .npz: {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = dict(zip(COLUMNS, features.images))
    columns["paths"] = np.array([str(absolute_path(p)) for p in features.images.paths], np.str_)
    for name, texts in zip(NAME_COLUMNS, features.images[len(COLUMNS) :]):
        if texts is not None:
            columns[name] = np.asarray(texts, np.str_)
    about: dict[str, Any] = {
        "num_query": features.num_query,
        "name": features.name,
        "config": features.config,
    }
    # Given a path instead of a file, NumPy would append .npz to a name that ends with .NPZ.
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **columns, **about)


def load_features(path: str | Path) -> FeatureSet:
    """Read and check a feature file.

    Args:
        path: a file of `save_features` or of another program: features (N, D), pids, camids and
            paths (N,), and optionally pid_names and camid_names (N,), num_query, name and config.
            If pids or camids are texts, numbers are assigned to them. Or a folder of parts, see
            `read_parts`.

    Returns:
        The content.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a feature file, or features are invalid.
    """
    path = Path(path)
    if path.is_dir():
        # That module makes a FeatureSet.
        from .part_folder import read_parts

        return read_parts(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no feature file {path}; create it with tools/extract_features.py."
        )
    columns = _read(path)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise ValueError(
            f"{path} is not a feature file: it lacks {', '.join(missing)}. Create one with "
            "tools/extract_features.py."
        )
    num_query = int(columns.get("num_query", 0))
    table = FeatureTable(are_unit=False)
    try:
        names = _number_texts(columns)
        table.add(ImageFeatures(*(columns[name] for name in COLUMNS)))
        images = table.images().with_names(names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not 0 <= num_query <= len(table):
        raise ValueError(f"{path}: num_query is {num_query}, but there are {len(table)} images.")
    name, config = str(columns.get("name", path.stem)), str(columns.get("config", ""))
    return FeatureSet(images, num_query, name, config)


def _number_texts(columns: dict[str, np.ndarray]) -> LabelNames | None:
    """Replace labels that are texts by numbers, in place, and return the names of all labels."""
    names = []
    for column, name_column in zip(("pids", "camids"), NAME_COLUMNS):
        texts = columns[column]
        if texts.dtype.kind == "U":
            try:
                number_of = number_labels(texts.tolist())
            except ValueError as error:
                raise ValueError(f"{column}: {error}") from error
            columns[column] = np.array([number_of[text] for text in texts.tolist()], np.int64)
        else:
            columns[column] = texts = whole_numbers(texts, column)
        names.append(columns.get(name_column, texts))
    if all(column.dtype.kind != "U" for column in names):
        return None
    return LabelNames(*(np.asarray(column, np.str_) for column in names))


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise ValueError("it is a single array (.npy)")
        with file:
            columns = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a feature file (.npz): {error}") from error
    _check_shapes(path, columns)
    return columns


def _check_shapes(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Check the dimensions and types of the columns, and that num_query is a whole number."""
    for name in (*COLUMNS, *NAME_COLUMNS):
        column = columns.get(name)
        if column is None:
            continue
        if column.ndim == 0:
            raise ValueError(f"{path} is not a feature file: {name} is a single value.")
        dimensions = _DIMENSIONS.get(name, 1)
        if column.ndim != dimensions:
            raise ValueError(
                f"{path} is not a feature file: {name} has the shape {column.shape}; it must have "
                f"{dimensions} dimension{'s' * (dimensions > 1)}."
            )
        kinds, words = _KINDS.get(name, ("", ""))
        if kinds and column.dtype.kind not in kinds:
            raise ValueError(
                f"{path} is not a feature file: {name} holds {column.dtype}, not {words}."
            )
    if "features" in columns and not columns["features"].size:
        raise ValueError(f"{path} has no features.")
    count = columns.get("num_query", np.array(0))
    if count.ndim or count.dtype.kind not in "iu":
        raise ValueError(f"{path} is not a feature file: num_query is not a whole number.")
