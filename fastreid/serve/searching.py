"""Search a gallery with pictures of one person, and count what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from fastreid.gallery import Entry, Filter, Gallery, GalleryError, mean_direction
from fastreid.utils.messages.errors import ExplainedError

from .models import Model
from .reranking import CANDIDATES, reranked_distances


class QueryError(ExplainedError, ValueError):
    """The pictures of a query have no usable feature."""


class SearchOptions(NamedTuple):
    """How a gallery is searched.

    Attributes:
        top: the largest number of results.
        only: which entries are considered.
        rerank: whether results are re-ranked by k-reciprocal neighbours.
        min_similarity: results with a smaller cosine similarity are left out; None: none is.
    """

    top: int = 10
    only: Filter = Filter()
    rerank: bool = False
    min_similarity: float | None = None


class Found(NamedTuple):
    """A result of a search.

    Attributes:
        entry: the image in the gallery.
        similarity: cosine of its feature and the query's.
        reranked: distance after re-ranking, by which results are ordered; None: not re-ranked.
    """

    entry: Entry
    similarity: float
    reranked: float | None = None


class GallerySummary(NamedTuple):
    """What a gallery holds.

    Attributes:
        images, identities: how many.
        cameras: their names, in order.
        earliest, latest: of the times that are known, in seconds since 1970; None: none is known.
    """

    images: int
    identities: int
    cameras: list[str]
    earliest: float | None
    latest: float | None


def search(
    model: Model, gallery: Gallery, pictures: Sequence[Image.Image], options: SearchOptions
) -> list[Found]:
    """Search a gallery with the mean of the features of pictures.

    Args:
        model: computes the features.
        gallery: is searched.
        pictures: RGB, of one person, at least one.
        options: how to search.

    Returns:
        The best results first.

    Raises:
        QueryError: if a feature, or the mean, is zero or not finite.
        GalleryError: if the gallery fails.
    """
    query = _query(model(pictures))
    count = max(CANDIDATES, options.top) if options.rerank else options.top
    (matches,) = gallery.search(query[np.newaxis], top=count, only=options.only)
    found = [Found(match.entry, match.similarity) for match in matches]
    if options.rerank:
        found, vectors = _with_vectors(gallery, found)
        distances = reranked_distances(query, vectors).tolist()
        found = [each._replace(reranked=value) for each, value in zip(found, distances)]
        found.sort(key=lambda each: each.reranked or 0.0)
    if options.min_similarity is not None:
        found = [each for each in found if each.similarity >= options.min_similarity]
    return found[: options.top]


def _query(features: np.ndarray) -> np.ndarray:
    try:
        return mean_direction(features).astype(np.float32)
    except GalleryError as error:
        raise QueryError(f"{error} Use other pictures.") from error


def _with_vectors(gallery: Gallery, found: list[Found]) -> tuple[list[Found], np.ndarray]:
    """Read the features of results, without those that were removed after the search."""
    while True:
        keys = [each.entry.key for each in found]
        try:
            return found, gallery.vectors_of(keys)
        except GalleryError:
            known = gallery.find(keys)
            if len(known) == len(keys):
                raise
            found = [each for each in found if each.entry.key in known]


def summarize(gallery: Gallery) -> GallerySummary:
    """Count what a gallery holds.

    Args:
        gallery: any gallery; all of its entries are read.
    """
    images, pids, camids = 0, set(), set()
    earliest, latest = float("inf"), -float("inf")
    for entry in gallery.entries():
        images += 1
        pids.add(entry.pid)
        camids.add(entry.camid)
        if entry.time is not None:
            earliest, latest = min(earliest, entry.time), max(latest, entry.time)
    times = (earliest, latest) if earliest <= latest else (None, None)
    return GallerySummary(images, len(pids - {""}), sorted(camids - {""}), *times)


def require_model(gallery: Gallery, model: Model, name: str) -> None:
    """Check that the features of a gallery come from a model.

    Args:
        gallery: an open gallery.
        model: the model of the queries.
        name: name of the gallery, for messages.

    Raises:
        GalleryError: if they have another length, or come from another model.
    """
    known = gallery.description
    if known.dimension != model.dimension:
        raise GalleryError(
            f"The gallery {name} has features of {known.dimension} dimensions, those of the model "
            f"have {model.dimension}: the gallery was made with another model."
        )
    if known.model and known.model != model.name:
        raise GalleryError(
            f"The features of the gallery {name} come from the model {known.model}, not from "
            f"{model.name}; features of two models cannot be compared."
        )
