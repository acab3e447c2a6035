"""Users' samplers, with a check of each index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .state import StateHistory, draw_from


class CheckedSampler:
    """Endless stream of indices from a user's sampler, which are checked.

    Args:
        name: name of the sampler, for error messages.
        sampler: gives indices of images without end, the same ones at every iteration.
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
        return self.draw(0, StateHistory())

    def draw(self, start: int, history: StateHistory) -> Iterator[int]:
        """Give the indices from a position on.

        Args:
            start: number of indices to skip.
            history: receives the states of a sampler that has ``draw``; see ``PassStream.draw``.

        Raises:
            ValueError: an index is not the index of an image, or the sampler ends.
        """
        count = start
        for index in draw_from(self._sampler, start, history):
            if not isinstance(index, (int, np.integer)) or not 0 <= index < self._size:
                raise ValueError(
                    f"The sampler {self._name} gave {index!r}; it must give integers from 0 "
                    f"to {self._size - 1}, indices of the training images."
                )
            yield int(index)
            count += 1
        raise ValueError(
            f"The sampler {self._name} ended after {count} images; a training sampler must be "
            "endless: put its passes into a loop (while True)."
        )
