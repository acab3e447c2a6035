"""A gallery in a folder: a file of vectors and an SQLite file of entries.

An addition appends vectors and makes them durable; then one transaction of SQLite makes them valid.
Vectors after the last valid row, which a process left that was killed, are overwritten by the next
addition. So at every moment the folder has all of an addition or nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
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
from .nearest import nearest_rows

VECTORS = "vectors.f32"
ENTRIES = "entries.sqlite"
# The version of the layout of both files.
_FORMAT = "1"
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE entries (
    row INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, pid TEXT NOT NULL, camid TEXT NOT NULL,
    time REAL, path TEXT NOT NULL);
CREATE INDEX entries_by_pid ON entries (pid);
CREATE INDEX entries_by_camid ON entries (camid);
"""
_COLUMNS = "key, pid, camid, time, path"
_WAIT_SECONDS = 30.0


class EmbeddedGallery(Gallery):
    """A gallery in a folder; several processes may search it while one adds.

    Args:
        folder: the folder.
        create: what a new gallery holds; None: the gallery must exist.

    Raises:
        GalleryError: if there is no gallery and `create` is None, it is damaged, or it differs from
            `create`.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, create: Description | None = None
    ) -> None:
        self.folder = Path(folder)
        if not (self.folder / ENTRIES).is_file():
            if create is None:
                raise GalleryError(f"There is no gallery {self.folder}.")
            _create(self.folder, create)
        self._database = _connect(self.folder)
        about = self._about()
        self._description = Description(int(about["dimension"]), about["model"])
        if create is not None:
            self._require_same(create)

    @property
    def description(self) -> Description:
        """What all features have in common."""
        return self._description

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._database.execute("SELECT COUNT(*) FROM entries").fetchone()[0]

    def add(self, features: np.ndarray, entries: Sequence[Entry], *, model: str = "") -> None:
        """Add images, see `Gallery.add`."""
        rows = unit_rows(features, self.description.dimension, "features")
        self._require_same(Description(self.description.dimension, model))
        if len(rows) != len(entries):
            raise GalleryError(f"There are {len(rows)} features, but {len(entries)} entries.")
        with self._writing():
            self._require_new([entry.key for entry in entries])
            start = self._rows()
            self._append(rows, start)
            numbered = ((start + i, *entry) for i, entry in enumerate(entries))
            self._database.executemany(
                f"INSERT INTO entries (row, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", numbered
            )
            self._database.execute(
                "UPDATE about SET value = ? WHERE name = 'rows'", (str(start + len(rows)),)
            )

    def remove(self, keys: Iterable[str]) -> int:
        """Remove entries, see `Gallery.remove`; their vectors stay in the file, unused."""
        with self._writing():
            removed = self._database.executemany(
                "DELETE FROM entries WHERE key = ?", ((key,) for key in keys)
            )
            return removed.rowcount

    def search(
        self, queries: np.ndarray, *, top: int = 10, only: Filter | None = None
    ) -> list[list[Match]]:
        """Find the most similar entries, see `Gallery.search`."""
        wanted = unit_rows(queries, self.description.dimension, "queries")
        allowed = self._allowed(only or Filter())
        best, scores = self._nearest(wanted, top, allowed)
        found = self._entries_of(set(best.reshape(-1).tolist()))
        return [
            # Another process may have removed entries since they were chosen.
            [Match(found[row], float(score)) for row, score in zip(rows, values) if row in found]
            for rows, values in zip(best.tolist(), scores.tolist())
        ]

    def find(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Look entries up by their names, see `Gallery.find`."""
        found = self._select(f"SELECT {_COLUMNS} FROM entries WHERE key", sorted(set(keys)))
        return {key: Entry(key, *values) for key, *values in found}

    def vectors_of(self, keys: Sequence[str]) -> np.ndarray:
        """Read the features of entries, see `Gallery.vectors_of`."""
        row_of = dict(self._select("SELECT key, row FROM entries WHERE key", sorted(set(keys))))
        require_all(row_of, keys, str(self.folder))
        return np.asarray(self.vectors()[[row_of[key] for key in keys]])

    def entries(self) -> Iterator[Entry]:
        """List all entries in the order of addition."""
        cursor = self._database.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY row")
        return (Entry(*values) for values in cursor)

    def vectors(self) -> np.ndarray:
        """Map the vectors of all rows, (R, D) float32 of length 1, also of removed entries."""
        rows, dimension = self._rows(), self.description.dimension
        if rows == 0:
            return np.zeros((0, dimension), np.float32)
        return np.memmap(self.folder / VECTORS, np.float32, "r", shape=(rows, dimension))

    def close(self) -> None:
        """Close the files."""
        self._database.close()

    def _nearest(
        self, queries: np.ndarray, top: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        return nearest_rows(self.vectors(), queries, top, allowed=allowed)

    def _about(self) -> dict[str, str]:
        try:
            about = dict(self._database.execute("SELECT name, value FROM about"))
        except sqlite3.DatabaseError as error:
            raise GalleryError(f"The gallery {self.folder} is damaged: {error}.") from error
        if about.get("format") != _FORMAT:
            raise GalleryError(
                f"The gallery {self.folder} has the format {about.get('format')}; this version "
                f"reads {_FORMAT}."
            )
        needed = 4 * int(about["rows"]) * int(about["dimension"])
        path = self.folder / VECTORS
        size = path.stat().st_size if path.is_file() else 0
        if size < needed:
            raise GalleryError(
                f"The gallery {self.folder} is damaged: {VECTORS} has {size} bytes, where "
                f"{needed} are needed. Make it again, or restore a copy of the folder."
            )
        return about

    def _rows(self) -> int:
        (value,) = self._database.execute("SELECT value FROM about WHERE name = 'rows'").fetchone()
        return int(value)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Change the gallery in one transaction, which waits for those of other processes."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise OSError(f"The gallery {self.folder} cannot be changed: {error}.") from error

    def _append(self, rows: np.ndarray, start: int) -> None:
        with (self.folder / VECTORS).open("r+b") as file:
            file.truncate(4 * start * self.description.dimension)
            file.seek(0, os.SEEK_END)
            rows.tofile(file)
            file.flush()
            os.fsync(file.fileno())

    def _require_same(self, other: Description) -> None:
        own = self.description
        if other.dimension != own.dimension:
            raise GalleryError(
                f"The gallery {self.folder} has features of {own.dimension} dimensions, not "
                f"{other.dimension}."
            )
        if own.model and other.model and own.model != other.model:
            raise GalleryError(
                f"The features of the gallery {self.folder} come from the model {own.model}, not "
                f"from {other.model}; features of two models cannot be compared."
            )

    def _require_new(self, keys: Sequence[str]) -> None:
        seen: set[str] = set()
        for key in keys:
            known = self._database.execute("SELECT 1 FROM entries WHERE key = ?", (key,))
            if key in seen or known.fetchone():
                where = "twice in the addition" if key in seen else "in the gallery already"
                raise GalleryError(f"The key {key!r} is {where}; nothing was added.")
            seen.add(key)

    def _allowed(self, only: Filter) -> np.ndarray | None:
        """Return the rows that a search considers; None: all rows."""
        conditions, values = _conditions(only)
        if not conditions and len(self) == self._rows():
            return None
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        cursor = self._database.execute(f"SELECT row FROM entries {where} ORDER BY row", values)
        return np.fromiter((row for (row,) in cursor), np.int64)

    def _entries_of(self, rows: set[int]) -> dict[int, Entry]:
        found = self._select(f"SELECT row, {_COLUMNS} FROM entries WHERE row", sorted(rows))
        return {row: Entry(*values) for row, *values in found}

    def _select(self, statement: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement, which ends with a column, for the values of the column."""
        # SQLite limits the number of values in a statement.
        for start in range(0, len(values), 500):
            part = values[start : start + 500]
            marks = ", ".join("?" * len(part))
            yield from self._database.execute(f"{statement} IN ({marks})", part)


def _conditions(only: Filter) -> tuple[list[str], list[object]]:
    """Write a filter as conditions of SQL, and the values of their question marks."""
    conditions: list[str] = []
    values: list[object] = []
    lists = (
        ("pid IN", only.pids),
        ("camid IN", only.camids),
        ("camid NOT IN", only.without_camids or None),
    )
    for words, names in lists:
        if names is not None:
            conditions.append(f"{words} ({', '.join('?' * len(names))})")
            values += sorted(names)
    for words, time in (("time >= ?", only.since), ("time < ?", only.before)):
        if time is not None:
            conditions.append(words)
            values.append(time)
    return conditions, values


def _create(folder: Path, description: Description) -> None:
    """Make an empty gallery; its SQLite file, which makes it one, appears last."""
    if description.dimension < 1:
        raise GalleryError(f"The dimension is {description.dimension}; it must be at least 1.")
    if folder.exists() and not _is_empty(folder):
        raise GalleryError(f"{folder} exists and is not a gallery; choose another name.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VECTORS).touch()
    unfinished = folder / f".{ENTRIES}.{os.getpid()}"
    with contextlib.closing(sqlite3.connect(unfinished)) as database:
        database.executescript(_SCHEMA)
        about = {"format": _FORMAT, "dimension": str(description.dimension), "rows": "0"}
        about["model"] = description.model
        database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        database.commit()
    unfinished.replace(folder / ENTRIES)


def _is_empty(folder: Path) -> bool:
    """Return whether a folder has no files but those of a creation that was interrupted."""
    return folder.is_dir() and all(
        path.name == VECTORS or path.name.startswith(f".{ENTRIES}.") for path in folder.iterdir()
    )


def _connect(folder: Path) -> sqlite3.Connection:
    # Transactions are begun and ended by `_writing` only.
    return sqlite3.connect(folder / ENTRIES, timeout=_WAIT_SECONDS, isolation_level=None)
