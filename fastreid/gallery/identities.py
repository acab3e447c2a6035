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
    asked, limit = top * _FIRST, len(gallery)
    if gallery.most_matches is not None:
        asked, limit = min(asked, gallery.most_matches), min(limit, gallery.most_matches)
    results = []
    for query, matches in zip(queries, gallery.search(queries, top=asked, only=only)):
        number, best = asked, _first_of_each(matches)
        # A search that gives fewer entries than it was asked for has given all.
        while len(best) < top and len(matches) == number < limit:
            number = min(number * _FIRST, limit)
            (matches,) = gallery.search(query[None], top=number, only=only)
            best = _first_of_each(matches)
        results.append(best[:top])
    return results


def _first_of_each(matches: list[Match]) -> list[Match]:
    first: dict[tuple[str, str], Match] = {}
    for match in matches:
        entry = match.entry
        first.setdefault(("pid", entry.pid) if entry.pid else ("key", entry.key), match)
    return list(first.values())
