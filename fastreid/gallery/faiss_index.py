"""Search an embedded gallery by FAISS (Douze et al., "The Faiss library", 2024)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .embedded import EmbeddedGallery


class FaissGallery(EmbeddedGallery):
    """An `EmbeddedGallery` whose vectors are searched by FAISS's exact index, in memory.

    Its files are the same, so that a gallery can be opened either way.

    Raises:
        ImportError: if FAISS is not installed.
    """

    _index: Any = None

    def _nearest(
        self, queries: np.ndarray, top: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        faiss = _import_faiss()
        vectors = self.vectors()
        if self._index is None:
            self._index = faiss.IndexFlatIP(self.description.dimension)
        if self._index.ntotal < len(vectors):
            self._index.add(np.ascontiguousarray(vectors[self._index.ntotal :]))
        options = {}
        if allowed is not None:
            options["params"] = faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        number = len(vectors) if allowed is None else len(allowed)
        top = min(top, number)
        if top == 0:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        scores, rows = self._index.search(queries, top, **options)
        # FAISS leaves the order of equal similarities open.
        order = np.lexsort((rows, -scores), axis=1)
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError("Searching by FAISS needs: pip install faiss-cpu") from error
    return faiss
