"""What every gallery does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from fastreid.utils.messages.errors import ExplainedError


class GalleryError(ExplainedError, ValueError):
    """A gallery cannot be opened, or does not take what is given; the message says why."""


class Description(NamedTuple):
    """What the features of a gallery have in common.

    Attributes:
        dimension: D, their length.
        model: hash of the model's weights, or another name of the model; "": not known.
    """

    dimension: int
    model: str = ""


class Entry(NamedTuple):
    """An image in a gallery.

    Attributes:
        key: its name, which no other entry has; often its path.
        pid: identity; "": not known.
        camid: camera; "": not known.
        time: when it was taken, in seconds since 1970-01-01 00:00 UTC; None: not known.
        path: the image file; "": none is kept.
    """

    key: str
    pid: str = ""
    camid: str = ""
    time: float | None = None
    path: str = ""


class Filter(NamedTuple):
    """Which entries a search considers; those that meet all conditions.

    Attributes:
        pids: only these identities; None: all.
        camids: only these cameras; None: all.
        without_camids: none of these cameras, as the camera of the query.
        since: taken at this time or later, in seconds since 1970; None: at any time. Entries
            without a time do not meet a condition on it.
        before: taken before this time.

    Examples:
        >>> import numpy as np
        >>> from fastreid.gallery import Description, Entry, Filter, open_gallery
        >>> with open_gallery("shop", create=Description(dimension=2)) as gallery:
        ...     entries = [Entry("a.jpg", camid="door"), Entry("b.jpg", camid="till")]
        ...     gallery.add(np.array([[1.0, 0.0], [0.6, 0.8]]), entries)
        ...     only = Filter(without_camids=frozenset({"door"}))
        ...     ((match,),) = gallery.search(np.array([[1.0, 0.0]]), only=only)
        >>> match.entry.key
        'b.jpg'
    """

    pids: frozenset[str] | None = None
    camids: frozenset[str] | None = None
    without_camids: frozenset[str] = frozenset()
    since: float | None = None
    before: float | None = None


class Match(NamedTuple):
    """A result of a search.

    Attributes:
        entry: the image.
        similarity: cosine of its feature and the query's, -1 to 1.
    """

    entry: Entry
    similarity: float


class Gallery(ABC):
    """Features of images, with names, identities, cameras and times.

    Attributes:
        most_matches: most matches that a search gives for a query; None: any number.
    """

    most_matches: int | None = None

    @property
    @abstractmethod
    def description(self) -> Description:
        """What all features have in common."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of entries."""

    @abstractmethod
    def add(self, features: np.ndarray, entries: Sequence[Entry], *, model: str = "") -> None:
        """Add images: all of them, or none if something is wrong.

        Args:
            features: (N, D), of any length above 0.
            entries: the N images.
            model: hash of the model that computed the features; "": not known.

        Raises:
            GalleryError: if the features have another dimension, are zero or not finite, come from
                another model, or a key occurs twice or is in the gallery already.
            OSError: if there is no space left.
        """

    @abstractmethod
    def remove(self, keys: Iterable[str]) -> int:
        """Remove entries.

        Args:
            keys: their names; unknown ones are ignored.

        Returns:
            How many were removed.
        """

    @abstractmethod
    def search(
        self, queries: np.ndarray, *, top: int = 10, only: Filter | None = None
    ) -> list[list[Match]]:
        """Find the entries that are most similar to each query; equal ones in order of addition.

        Args:
            queries: (Q, D) features, of any length above 0.
            top: how many entries for a query.
            only: which entries are considered; None: all.

        Returns:
            For each query up to `top` matches, the most similar first.

        Raises:
            GalleryError: if the queries have another dimension, or are zero or not finite.
        """

    @abstractmethod
    def find(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Look entries up by their names.

        Args:
            keys: names.

        Returns:
            The entry of each name that is in the gallery.
        """

    @abstractmethod
    def vectors_of(self, keys: Sequence[str]) -> np.ndarray:
        """Read the features of entries.

        Args:
            keys: names.

        Returns:
            (N, D) float32 of length 1, in the order of the names.

        Raises:
            GalleryError: if a name is not in the gallery.
        """

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """List all entries in the order of addition."""

    @abstractmethod
    def close(self) -> None:
        """Release files and connections."""

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def unit_rows(features: Any, dimension: int, what: str) -> np.ndarray:
    """Check features and scale them to length 1.

    Args:
        features: (N, D) numbers.
        dimension: D.
        what: "features" or "queries", for messages.

    Returns:
        (N, D) float32.

    Raises:
        GalleryError: if the shape is another, or a row is zero or not finite.

    Examples:
        >>> import numpy as np
        >>> from fastreid.gallery.interface import unit_rows
        >>> unit_rows(np.array([[3.0, 4.0]]), dimension=2, what="queries")
        array([[0.6, 0.8]], dtype=float32)
    """
    rows = np.asarray(features)
    if rows.ndim != 2 or rows.shape[1] != dimension or rows.dtype.kind not in "fiu":
        raise GalleryError(
            f"The {what} are an array of {rows.dtype} with shape {rows.shape}; this gallery has "
            f"features of {dimension} dimensions, so (N, {dimension}) is expected."
        )
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise GalleryError(
            f"Row {wrong[0]} of the {what} is zero or not finite, as are {len(wrong) - 1} others."
        )
    return (rows / lengths).astype(np.float32)


def require_all(found: Container[str], keys: Sequence[str], gallery: str) -> None:
    """Check that all names are in a gallery.

    Args:
        found: the names that are in it.
        keys: the names that were asked for.
        gallery: its name, for the message.

    Raises:
        GalleryError: if one is missing.
    """
    missing = [key for key in keys if key not in found]
    if missing:
        raise GalleryError(f"The gallery {gallery} has no entry {missing[0]!r}.")
