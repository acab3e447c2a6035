"""Search a gallery for identities: each one once, by its most similar image."""

from __future__ import annotations

import numpy as np

from .interface import Filter, Gallery, Match

_FIRST = 10


def search_identities(
    gallery: Gallery, queries: np.ndarray, *, top: int = 10, only: Filter | None = None
) -> list[list[Match]]:
    """Find the identities that are most similar to each query.

    Args:
        gallery: the gallery.
        queries: (Q, D) features, of any length above 0.
        top: how many identities for a query.
        only: which entries are considered; None: all.

    Returns:
        For each query up to `top` matches of different identities, each with its most similar
        entry, the most similar first. Each entry without an identity counts as one of its own.

    Raises:
        GalleryError: if the queries have another dimension, or are zero or not finite.
    """
    found = gallery.search(queries, top=top * _FIRST, only=only)
    return [
        _completed(gallery, query[None], matches, top, only)
        for query, matches in zip(np.asarray(queries), found)
    ]


def _completed(
    gallery: Gallery, query: np.ndarray, matches: list[Match], top: int, only: Filter | None
) -> list[Match]:
    """Search for more entries, until they have enough identities or there are no more."""
    asked, limit = top * _FIRST, min(len(gallery), gallery.most_matches or len(gallery))
    best = _first_of_each(matches)
    # A search that gives fewer entries than it was asked for has given all.
    while len(best) < top and len(matches) == asked and asked < limit:
        asked = min(asked * _FIRST, limit)
        (matches,) = gallery.search(query, top=asked, only=only)
        best = _first_of_each(matches)
    return best[:top]


def _first_of_each(matches: list[Match]) -> list[Match]:
    first: dict[tuple[str, str], Match] = {}
    for match in matches:
        entry = match.entry
        first.setdefault(("pid", entry.pid) if entry.pid else ("key", entry.key), match)
    return list(first.values())
