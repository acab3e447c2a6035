"""Endless passes over the images, which can be gone on with without drawing those before."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

_WORDS = 624


class Bookmark(NamedTuple):
    """Where a pass begins.

    Attributes:
        index: how many indices were drawn before it.
        generator: the state of the generator there, of ``RandomState.get_state(legacy=False)``.
    """

    index: int
    generator: dict[str, Any]

    def as_plain(self) -> dict[str, Any]:
        """Give numbers, texts and lists, as JSON has them."""
        state = self.generator["state"]
        words = {"key": np.asarray(state["key"]).tolist(), "pos": int(state["pos"])}
        return {"index": self.index, "generator": {**self.generator, "state": words}}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Bookmark:
        """Read what ``as_plain`` gave.

        Args:
            plain: out of a checkpoint.

        Raises:
            ValueError: it is something else.
        """
        try:
            index, generator = plain["index"], dict(plain["generator"])
            key, pos = (np.array(generator["state"][name], np.int64) for name in ("key", "pos"))
            # NumPy reads what lies beyond the words where it is told so.
            is_sound = key.shape == (_WORDS,) and key.min() >= 0 and 0 <= pos <= _WORDS
            if not is_sound or index < 0:
                raise ValueError(f"index {index}, place {pos} of {key.size} words")
            generator["state"] = {"key": key.astype(np.uint32), "pos": int(pos)}
            np.random.RandomState().set_state(generator)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"The state of a sampler is damaged ({type(error).__name__}: {error}); go on from "
                "an earlier checkpoint."
            ) from error
        return cls(index, generator)


class Bookmarks:
    """Where the passes of a sampler began: noted by the thread that draws, read by another.

    Args:
        first: where to go on; None: at the start of the stream.
    """

    def __init__(self, first: Bookmark | None = None) -> None:
        self.first = first
        self._noted = deque(() if first is None else (first,))

    def note(self, bookmark: Bookmark) -> None:
        """Add one, later than all before."""
        self._noted.append(bookmark)

    def last_before(self, index: int) -> Bookmark | None:
        """Find the last one that is not beyond a place, and forget those before it.

        Args:
            index: of the place; never less than the time before.

        Returns:
            None: there is none yet.
        """
        while len(self._noted) > 1 and self._noted[1].index <= index:
            self._noted.popleft()
        return self._noted[0] if self._noted and self._noted[0].index <= index else None


class Passes:
    """The stream of a sampler.

    Args:
        one_pass: gives the indices of a pass; what it draws comes from its argument alone.
        seed: of the generator; the same on every rank.
        rank, world_size: rank r of w takes every w-th index from r on.
    """

    def __init__(
        self,
        one_pass: Callable[[np.random.RandomState], Iterator[int]],
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._one_pass = one_pass
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def draw(self, start: int = 0, bookmarks: Bookmarks | None = None) -> Iterator[int]:
        """Give the indices from a place on.

        Args:
            start: indices to pass over; those since the first of ``bookmarks`` are drawn again.
            bookmarks: takes the beginnings of passes, unless ranks share the stream.
        """
        if self._world_size > 1:
            first = self._rank + start * self._world_size
            return itertools.islice(self._stream(Bookmarks()), first, None, self._world_size)
        bookmarks = bookmarks or Bookmarks()
        skipped = bookmarks.first.index if bookmarks.first else 0
        return itertools.islice(self._stream(bookmarks), start - skipped, None)

    def _stream(self, bookmarks: Bookmarks) -> Iterator[int]:
        rng, index = np.random.RandomState(self._seed), 0
        if bookmarks.first is not None:
            index = bookmarks.first.index
            rng.set_state(bookmarks.first.generator)
        while True:
            for drawn in self._one_pass(rng):
                yield drawn
                index += 1
            bookmarks.note(Bookmark(index, rng.get_state(legacy=False)))


def draw_from(sampler: Iterable[int], start: int, bookmarks: Bookmarks) -> Iterator[int]:
    """Give the indices of any sampler from a place on.

    Args:
        sampler: one whose past must be drawn again has no method ``draw``.
        start: indices to pass over.
        bookmarks: as in ``Passes.draw``.
    """
    if hasattr(sampler, "draw"):
        return sampler.draw(start, bookmarks)
    return itertools.islice(sampler, start, None)
