"""A gallery in Milvus (Wang et al., SIGMOD 2021): a local file of Milvus Lite, or a server.

The collection has a row for each entry, and one more, number -1, that describes the gallery: its
`pid` is the model, its `camid` the number of rows that additions have completed. Rows from that
number on were left by an addition that did not end; searches ignore them.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .interface import (
    Description,
    Entry,
    Filter,
    Gallery,
    GalleryError,
    Match,
    require_all,
    unit_rows,
)

COLLECTION = "fastreid_gallery"
# How the name of a file of Milvus Lite ends.
LITE = ".db"
_FIELDS = ["key", "pid", "camid", "time", "path"]
# Bytes that a text may have in Milvus.
_LONGEST_TEXT = 4096
_ABOUT = -1
# Rows that are sent, or asked for, at once.
_PART = 1000


class MilvusGallery(Gallery):
    """A gallery in a collection of Milvus, searched by its exact index.

    Args:
        address: a file that ends with .db, for Milvus Lite, or the address of a server, such as
            ``http://localhost:19530``.
        create: what a new gallery holds; None: the gallery must exist.
        token: the server's token, or "USER:PASSWORD"; "": none.

    Raises:
        ImportError: if pymilvus, or for a file milvus-lite, is not installed.
        GalleryError: if the server cannot be reached, there is no gallery and `create` is None, or
            it differs from `create`. All methods raise it if Milvus fails.
    """

    # The limit of Milvus.
    most_matches = 16_384

    def __init__(self, address: str, *, create: Description | None = None, token: str = "") -> None:
        self.address = address
        self._client = _Client(_connect(address, token), address)
        if not self._client.has_collection(COLLECTION):
            if create is None:
                raise GalleryError(f"There is no gallery at {address}.")
            self._create(create)
        self._client.load_collection(COLLECTION)
        self._description = self._read_description()
        if create is not None:
            self._require_same(create)

    @property
    def description(self) -> Description:
        """What all features have in common."""
        return self._description

    def __len__(self) -> int:
        """Return the number of entries."""
        (count,) = self._query("", ["count(*)"])
        return count["count(*)"]

    def add(self, features: np.ndarray, entries: Sequence[Entry], *, model: str = "") -> None:
        """Add images, see `Gallery.add`."""
        rows = unit_rows(features, self.description.dimension, "features")
        self._require_same(Description(self.description.dimension, model))
        if len(rows) != len(entries):
            raise GalleryError(f"There are {len(rows)} features, but {len(entries)} entries.")
        self._require_new([entry.key for entry in entries])
        start = self._completed()
        self._client.delete(COLLECTION, filter=f"row >= {start}")
        for first in range(0, len(rows), _PART):
            part = zip(rows[first : first + _PART], entries[first : first + _PART])
            data = [
                {"row": start + first + i, "vector": vector, **entry._asdict()}
                for i, (vector, entry) in enumerate(part)
            ]
            self._client.insert(COLLECTION, data)
        self._write_about(self.description, start + len(rows))
        if self.address.endswith(LITE):
            # Milvus Lite searches what is not flushed row by row: a hundred times slower. Servers
            # flush on their own, and limit how often they are asked to.
            self._client.flush(COLLECTION)

    def remove(self, keys: Iterable[str]) -> int:
        """Remove entries, see `Gallery.remove`."""
        before = len(self)
        for part in _parts(list(keys)):
            self._client.delete(COLLECTION, filter=f"row >= 0 and key in {_quoted(part)}")
        return before - len(self)

    def search(
        self, queries: np.ndarray, *, top: int = 10, only: Filter | None = None
    ) -> list[list[Match]]:
        """Find the most similar entries, see `Gallery.search`."""
        wanted = unit_rows(queries, self.description.dimension, "queries")
        condition = " and ".join(
            [f"row >= 0 and row < {self._completed()}", *_conditions(only or Filter())]
        )
        found = self._client.search(
            COLLECTION,
            data=list(wanted),
            limit=top,
            filter=condition,
            output_fields=_FIELDS,
        )
        return [
            [
                Match(_entry(hit["entity"]), hit["distance"])
                for hit in sorted(hits, key=lambda hit: (-hit["distance"], hit["row"]))
            ]
            for hits in found
        ]

    def find(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Look entries up by their names, see `Gallery.find`."""
        return {row["key"]: _entry(row) for row in self._rows_of(keys, _FIELDS)}

    def vectors_of(self, keys: Sequence[str]) -> np.ndarray:
        """Read the features of entries, see `Gallery.vectors_of`."""
        vector_of = {row["key"]: row["vector"] for row in self._rows_of(keys, ["key", "vector"])}
        require_all(vector_of, keys, self.address)
        vectors = np.array([vector_of[key] for key in keys], np.float32)
        return vectors.reshape(len(keys), self.description.dimension)

    def entries(self) -> Iterator[Entry]:
        """List all entries in the order of addition."""
        last, completed = -1, self._completed()
        while True:
            part = self._query(f"row > {last}", ["row", *_FIELDS], limit=_PART)
            part = [row for row in part if row["row"] < completed]
            if not part:
                return
            part.sort(key=lambda row: row["row"])
            yield from map(_entry, part)
            last = part[-1]["row"]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _create(self, description: Description) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=description.dimension)
        for name in ("key", "pid", "camid", "path"):
            schema.add_field(name, DataType.VARCHAR, max_length=_LONGEST_TEXT)
        schema.add_field("time", DataType.DOUBLE, nullable=True)
        index = self._client.prepare_index_params()
        # Exact, by the inner product of vectors of length 1.
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        self._client.create_collection(COLLECTION, schema=schema, index_params=index)
        self._write_about(description, 0)

    def _write_about(self, description: Description, completed: int) -> None:
        vector = np.zeros(description.dimension, np.float32)
        vector[0] = 1
        about = {"pid": description.model, "camid": str(completed), "key": "", "path": ""}
        self._client.upsert(COLLECTION, [{"row": _ABOUT, "vector": vector, "time": None, **about}])

    def _about(self) -> dict[str, Any]:
        rows = self._client.query(
            COLLECTION, filter=f"row == {_ABOUT}", output_fields=["pid", "camid"]
        )
        if len(rows) != 1:
            raise GalleryError(
                f"The collection {COLLECTION} at {self.address} is not a gallery of this program."
            )
        return rows[0]

    def _read_description(self) -> Description:
        fields = self._client.describe_collection(COLLECTION)["fields"]
        sizes = [field["params"]["dim"] for field in fields if field["name"] == "vector"]
        about = self._about()
        return Description(int(sizes[0]), about["pid"])

    def _completed(self) -> int:
        return int(self._about()["camid"])

    def _query(self, condition: str, fields: list[str], **options: Any) -> list[dict[str, Any]]:
        whole = " and ".join(filter(None, ["row >= 0", f"row < {self._completed()}", condition]))
        return self._client.query(COLLECTION, filter=whole, output_fields=fields, **options)

    def _rows_of(self, keys: Sequence[str], fields: list[str]) -> Iterator[dict[str, Any]]:
        for part in _parts(sorted(set(keys))):
            yield from self._query(f"key in {_quoted(part)}", fields)

    def _require_same(self, other: Description) -> None:
        own = self.description
        if other.dimension != own.dimension:
            raise GalleryError(
                f"The gallery {self.address} has features of {own.dimension} dimensions, not "
                f"{other.dimension}."
            )
        if own.model and other.model and own.model != other.model:
            raise GalleryError(
                f"The features of the gallery {self.address} come from the model {own.model}, not "
                f"from {other.model}; features of two models cannot be compared."
            )

    def _require_new(self, keys: list[str]) -> None:
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise GalleryError(f"The key {twice!r} is twice in the addition; nothing was added.")
        for part in _parts(keys):
            known = self._query(f"key in {_quoted(part)}", ["key"])
            if known:
                raise GalleryError(
                    f"The key {known[0]['key']!r} is in the gallery already; nothing was added."
                )


def _parts(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _PART):
        yield values[start : start + _PART]


def _conditions(only: Filter) -> list[str]:
    """Write a filter as conditions of Milvus."""
    lists = (
        ("pid in", only.pids),
        ("camid in", only.camids),
        ("camid not in", only.without_camids or None),
    )
    words = [f"{start} {_quoted(sorted(texts))}" for start, texts in lists if texts is not None]
    times = (("time >=", only.since), ("time <", only.before))
    return words + [f"{start} {time!r}" for start, time in times if time is not None]


def _quoted(texts: Sequence[str]) -> str:
    """Write texts as a list in an expression of Milvus, whose escapes are those of JSON."""
    return json.dumps(list(texts), ensure_ascii=False)


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(*(row.get(name) for name in _FIELDS))  # type: ignore[arg-type]


class _Client:
    """A client of Milvus whose methods raise `GalleryError` with the address."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        @functools.wraps(method)
        def call(*values: Any, **options: Any) -> Any:
            with _naming(self._address):
                return method(*values, **options)

        return call


@contextlib.contextmanager
def _naming(address: str) -> Iterator[None]:
    """Translate the errors of Milvus and of its connection."""
    from grpc import FutureTimeoutError, RpcError
    from pymilvus import MilvusException

    try:
        yield
    except (MilvusException, RpcError, FutureTimeoutError, OSError) as error:
        raise GalleryError(f"Milvus at {address} failed: {error}") from error


def _connect(address: str, token: str) -> Any:
    try:
        from pymilvus import MilvusClient, MilvusException
    except ImportError as error:
        raise ImportError(
            "A gallery in Milvus needs: pip install pymilvus (and milvus-lite for a local file)"
        ) from error
    try:
        return MilvusClient(address, token=token)
    except (MilvusException, OSError, ValueError) as error:
        raise GalleryError(f"Milvus at {address} cannot be opened: {error}") from error
