"""Model and gallery, opened and used by one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from PIL import Image

from fastreid.gallery import Entry, Gallery, open_gallery

from .explaining import DrawnPair, Explanations
from .models import Model
from .searching import Found, GallerySummary, SearchOptions, require_model, search, summarize

Answer = TypeVar("Answer")

# How long the counts of a gallery are kept while its number of images stays the same.
_SUMMARY_SECONDS = 60.0


class SearchService:
    """A model and a gallery, opened and used by one thread.

    MindSpore's context and connections of SQLite belong to the thread that made them, and both
    model and exact search use all processors for one query. So queries are answered one after
    another.

    Args:
        make_model: opens the model.
        gallery: name of the gallery, see `open_gallery`.

    Raises:
        GalleryError: if the gallery cannot be opened, or belongs to another model.
        ImportError: if the gallery needs a package that is not installed.
        Exception: what `make_model` raises.
    """

    def __init__(self, make_model: Callable[[], Model], gallery: str) -> None:
        self.gallery = gallery
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._summary: tuple[float, GallerySummary] | None = None
        try:
            self._model, self._gallery = self._thread.submit(self._open, make_model).result()
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    def run(self, task: Callable[[Model, Gallery], Answer]) -> Answer:
        """Run a function in the thread of the model, and wait for it.

        Args:
            task: gets the model and the gallery.

        Returns:
            What it returns.
        """
        return self._thread.submit(lambda: task(self._model, self._gallery)).result()

    def search(self, pictures: Sequence[Image.Image], options: SearchOptions) -> list[Found]:
        """Search with one picture, or several of one person.

        Args:
            pictures: RGB, at least one.
            options: how to search.

        Returns:
            The best results first.

        Raises:
            QueryError: if a feature is zero or not finite.
        """
        return self.run(lambda model, gallery: search(model, gallery, pictures, options))

    def explain(self, query: Image.Image, result: Image.Image) -> DrawnPair:
        """Explain what the places of two pictures add to the cosine of their features.

        Args:
            query: RGB.
            result: RGB.

        Returns:
            The numbers and the pictures under their maps.

        Raises:
            ExplanationError: if the model cannot explain them.
        """
        return self.run(lambda model, _: model.explanations(query, result))

    def entry(self, key: str) -> Entry | None:
        """Look an entry up.

        Args:
            key: its name.

        Returns:
            The entry, or None if the gallery has none of this name.
        """
        return self.run(lambda _, gallery: gallery.find([key])).get(key)

    def summary(self) -> GallerySummary:
        """Count what the gallery holds; counts may be a minute old."""
        return self.run(self._summarize)

    @property
    def model_name(self) -> str:
        """Hash of the model's weights."""
        return self._model.name

    @property
    def dimension(self) -> int:
        """Length of a feature."""
        return self._model.dimension

    @property
    def explanations(self) -> Explanations:
        """Those of the model; `explain` runs them in its thread."""
        return self._model.explanations

    def close(self) -> None:
        """Close the gallery and end the thread, after what it was asked before."""
        self._thread.submit(self._gallery.close).result()
        self._thread.shutdown()

    def _open(self, make_model: Callable[[], Model]) -> tuple[Model, Gallery]:
        gallery = open_gallery(self.gallery)
        try:
            model = make_model()
            require_model(gallery, model, self.gallery)
            # What cannot be searched, as without FAISS, is found now and not by the first client.
            gallery.search(np.ones((1, model.dimension)), top=1)
        except BaseException:
            gallery.close()
            raise
        return model, gallery

    def _summarize(self, _: Model, gallery: Gallery) -> GallerySummary:
        now = time.monotonic()
        if self._summary:
            made, summary = self._summary
            if now - made < _SUMMARY_SECONDS and summary.images == len(gallery):
                return summary
        summary = summarize(gallery)
        self._summary = (now, summary)
        return summary
