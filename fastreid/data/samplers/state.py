"""State of a sampler, so that a resumed run draws the same images without drawing all earlier ones.

A sampler repeats one pass over the images without end. Its state is the state of its random
generator at the start of a pass, and the number of indices drawn before that pass.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

# Words of the state of NumPy's Mersenne Twister.
_WORDS = 624


class SamplerState(NamedTuple):
    """State of a sampler at the start of a pass.

    Attributes:
        start: number of indices drawn before the pass.
        generator: state of the random generator, as ``RandomState.get_state(legacy=False)`` gives
            it.
    """

    start: int
    generator: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Convert the state to numbers, strings and lists, which JSON can hold."""
        state = self.generator["state"]
        words = {"key": np.asarray(state["key"]).tolist(), "pos": int(state["pos"])}
        return {"index": self.start, "generator": {**self.generator, "state": words}}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SamplerState:
        """Restore a state from the result of ``to_dict``.

        Args:
            stored: the dict, as read from a checkpoint.

        Raises:
            ValueError: the dict is not a valid state.
        """
        try:
            index, generator = stored["index"], dict(stored["generator"])
            key, pos = (np.array(generator["state"][name], np.int64) for name in ("key", "pos"))
            # NumPy does not check these bounds and would read outside of its array.
            is_valid = key.shape == (_WORDS,) and key.min() >= 0 and 0 <= pos <= _WORDS
            if not is_valid or index < 0:
                raise ValueError(f"index {index}, position {pos} of {key.size} words")
            generator["state"] = {"key": key.astype(np.uint32), "pos": int(pos)}
            np.random.RandomState().set_state(generator)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"The state of a sampler is damaged ({type(error).__name__}: {error}); resume from "
                "an earlier checkpoint."
            ) from error
        return cls(index, generator)


class StateHistory:
    """States at the starts of a sampler's passes: added by the drawing thread, read by another.

    Args:
        initial: state that the sampler starts from; None: the start of its stream.
    """

    def __init__(self, initial: SamplerState | None = None) -> None:
        self.initial = initial
        self._states = deque(() if initial is None else (initial,))

    def __len__(self) -> int:
        return len(self._states)

    def add(self, state: SamplerState) -> None:
        """Add a state.

        Args:
            state: later in the stream than all states before.
        """
        self._states.append(state)

    def last_before(self, index: int) -> SamplerState | None:
        """Find the last state at or before an index of the stream, and drop the earlier ones.

        Args:
            index: number of indices drawn; must not decrease from call to call.

        Returns:
            The state; None if no pass after the first one has started by then.
        """
        while len(self._states) > 1 and self._states[1].start <= index:
            self._states.popleft()
        return self._states[0] if self._states and self._states[0].start <= index else None


class PassStream:
    """Endless stream of indices that repeats a pass over the images.

    Args:
        one_pass: gives the indices of one pass; all its randomness must come from its argument.
        seed: seed of the random generator; the same on every rank.
        rank: rank of this process; it takes every ``world_size``-th index, from index ``rank`` on.
        world_size: number of processes.
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

    def draw(self, start: int = 0, history: StateHistory | None = None) -> Iterator[int]:
        """Give the indices from a position on.

        Args:
            start: number of indices to skip. Only those after ``history.initial`` are drawn again.
            history: receives the state at the start of each pass. With several ranks it is not
                used.
        """
        if self._world_size > 1:
            first = self._rank + start * self._world_size
            return itertools.islice(self._stream(StateHistory()), first, None, self._world_size)
        if history is None:
            history = StateHistory()
        skipped = 0 if history.initial is None else history.initial.start
        return itertools.islice(self._stream(history), start - skipped, None)

    def _stream(self, history: StateHistory) -> Iterator[int]:
        rng, index = np.random.RandomState(self._seed), 0
        if history.initial is not None:
            index = history.initial.start
            rng.set_state(history.initial.generator)
        while True:
            for drawn in self._one_pass(rng):
                yield drawn
                index += 1
            history.add(SamplerState(index, rng.get_state(legacy=False)))


def draw_from(sampler: Iterable[int], start: int, history: StateHistory) -> Iterator[int]:
    """Give the indices of any sampler from a position on.

    Args:
        sampler: sampler with a method ``draw`` like `PassStream.draw`; one without it is iterated
            from its beginning, and its first indices are discarded.
        start: number of indices to skip.
        history: receives the states of a sampler that has ``draw``.
    """
    if hasattr(sampler, "draw"):
        return sampler.draw(start, history)
    return itertools.islice(sampler, start, None)
