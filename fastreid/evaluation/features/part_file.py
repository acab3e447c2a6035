"""Parts: Parquet files that each have the features of some images, in any order.

A part has the columns path, pid and camid (texts; "" is an unknown label) and features (D float32).
Its metadata name the model, by a hash, and have its configuration.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from fastreid.utils.file_io.places import Place, PlaceError, require_pyarrow
from fastreid.utils.messages.errors import ExplainedError

COLUMNS = ("path", "pid", "camid", "features")
PREFIX, SUFFIX = "part-", ".parquet"
# The entry of the metadata: one text in JSON.
_KEY = b"fastreid"


class PartError(ExplainedError, ValueError):
    """A file is not a complete part, or is one of another model; the message names it."""


class DamagedPartError(PartError):
    """A file is not a complete part."""


class PartInfo(NamedTuple):
    """The model of a part.

    Attributes:
        model: hash of the model, in hexadecimal: equal hashes mean equal features.
        model_name: name of its file.
        config: YAML text of its configuration.
        weights_sha256: hash of the weights' names and values, as in exported files; "": not known.
    """

    model: str
    model_name: str
    config: str
    weights_sha256: str = ""


class PartColumns(NamedTuple):
    """The rows of a part.

    Attributes:
        paths: paths or addresses of N images.
        pids: texts of their identities; "" if unknown.
        camids: texts of their cameras; "" if unknown.
        features: (N, D) float32.
    """

    paths: list[str]
    pids: list[str]
    camids: list[str]
    features: np.ndarray


def encode_part(info: PartInfo, columns: PartColumns) -> Any:
    """Make the content of a part.

    Args:
        info: the model.
        columns: the rows, at least one.

    Returns:
        The bytes of the Parquet file, as a buffer of pyarrow.
    """
    pa = require_pyarrow("")
    features = np.ascontiguousarray(columns.features, np.float32)
    arrays = [
        *(pa.array(column, pa.string()) for column in columns[:3]),
        pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), features.shape[1]),
    ]
    table = pa.table(dict(zip(COLUMNS, arrays)))
    table = table.replace_schema_metadata({_KEY: json.dumps(info._asdict())})
    stream = pa.BufferOutputStream()
    # Features hardly compress and hardly repeat.
    pa.parquet.write_table(
        table, stream, compression="zstd", use_dictionary=["pid", "camid"], write_statistics=False
    )
    return stream.getvalue()


def read_info(part: Place) -> PartInfo:
    """Read which model a part is of.

    Args:
        part: the file.

    Raises:
        DamagedPartError: it is no complete part.
        PlaceError: it cannot be read.
    """
    return _info_of(_schema(part), part)


def read_paths(part: Place) -> list[str]:
    """Read the paths of the images in a part.

    Args:
        part: the file.

    Raises:
        DamagedPartError: it is no complete part.
        PlaceError: it cannot be read.
    """
    return _read(part, ["path"]).column("path").to_pylist()


def read_columns(part: Place) -> PartColumns:
    """Read a part.

    Args:
        part: the file.

    Raises:
        DamagedPartError: it is no complete part.
        PlaceError: it cannot be read.
    """
    table = _read(part, list(COLUMNS))
    features = table.column("features").combine_chunks()
    dimension = features.type.list_size
    values = features.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    paths, pids, camids = (table.column(name).to_pylist() for name in COLUMNS[:3])
    return PartColumns(paths, pids, camids, values)


def require_same_model(part: Place, found: PartInfo, expected: PartInfo) -> None:
    """Check that a part is of the model of others.

    Args:
        part: the file, for the message.
        found: its model.
        expected: the other model.

    Raises:
        PartError: the models differ.
    """
    if found.model != expected.model:
        raise PartError(
            f"{part.address} has features of another model ({found.model_name}, "
            f"{found.model[:12]}) than {expected.model_name} ({expected.model[:12]}); features of "
            "two models cannot be compared. Give another output folder, or remove the old parts."
        )


def _schema(part: Place) -> Any:
    pa = require_pyarrow("")
    try:
        return pa.parquet.read_schema(part.path, filesystem=part.files)
    except pa.ArrowInvalid as error:
        raise DamagedPartError(f"{part.address} is not a complete Parquet file: {error}") from error
    except OSError as error:
        raise _explained(part, error) from error


def _read(part: Place, columns: list[str]) -> Any:
    pa = require_pyarrow("")
    _info_of(_schema(part), part)
    try:
        return pa.parquet.read_table(part.path, columns=columns, filesystem=part.files)
    except pa.ArrowInvalid as error:
        raise DamagedPartError(f"{part.address} is damaged: {error}") from error
    except OSError as error:
        raise _explained(part, error) from error


def _info_of(schema: Any, part: Place) -> PartInfo:
    missing = [name for name in COLUMNS if name not in schema.names]
    entry = (schema.metadata or {}).get(_KEY)
    if missing or entry is None:
        lacks = ", ".join(missing) or "the name of its model"
        raise DamagedPartError(
            f"{part.address} is not a part of tools/extract_features.py: it lacks {lacks}."
        )
    return PartInfo(**json.loads(entry))


def _explained(part: Place, error: OSError) -> OSError:
    # pyarrow reports damaged pages as an OSError without a number of the operating system.
    if error.errno is None and not isinstance(error, FileNotFoundError):
        return PlaceError(f"{part.address} cannot be read: {error}")
    return error
