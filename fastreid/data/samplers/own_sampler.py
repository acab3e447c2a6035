"""Samplers of users, with checks of what they draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .passes import Bookmarks, draw_from


class CheckedSampler:
    """The endless stream of a user's sampler; a fault in it is an error that names it.

    Args:
        name: of the sampler, for messages.
        sampler: gives indices of images without end, the same ones whenever it is iterated.
        size: number of images.

    Raises:
        ValueError: ``sampler`` cannot be iterated.
    """

    def __init__(self, name: str, sampler: Iterable[int], size: int) -> None:
        if not isinstance(sampler, Iterable):
            raise ValueError(
                f"The sampler {name} must have a method __iter__ that gives indices of images, but "
                f"{type(sampler).__name__} has none."
            )
        self._name = name
        self._sampler = sampler
        self._size = size

    def __iter__(self) -> Iterator[int]:
        return self.draw(0, Bookmarks())

    def draw(self, start: int, bookmarks: Bookmarks) -> Iterator[int]:
        """Give the indices from a place on, as ``Passes.draw`` does.

        Args:
            start: indices to pass over.
            bookmarks: as in ``Passes.draw``.

        Raises:
            ValueError: an index is of no image, or the sampler ends.
        """
        count = start
        for index in draw_from(self._sampler, start, bookmarks):
            if not isinstance(index, (int, np.integer)) or not 0 <= index < self._size:
                raise ValueError(
                    f"The sampler {self._name} gave {index!r}; it must give whole numbers from 0 "
                    f"to {self._size - 1}, indices of the training images."
                )
            yield int(index)
            count += 1
        raise ValueError(
            f"The sampler {self._name} ended after {count} images; a training sampler goes on "
            "without end: put its passes into a loop (while True)."
        )
