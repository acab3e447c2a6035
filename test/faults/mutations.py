"""Damage to a file's bytes: bits, cuts, holes, copies, and numbers at their limits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_LIMITS = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x80\0\0\0", b"\0" * 16, b"\xff\xd8")


def _flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(changed)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def _remove(data: bytes, rng: np.random.Generator) -> bytes:
    first, end = sorted(rng.integers(len(data) + 1, size=2))
    return data[:first] + data[end:]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    first, end = sorted(rng.integers(len(data) + 1, size=2))
    place = rng.integers(len(data) + 1)
    return data[:place] + data[first:end] + data[place:]


def _limit(data: bytes, rng: np.random.Generator) -> bytes:
    place = rng.integers(len(data))
    limit = _LIMITS[rng.integers(len(_LIMITS))]
    return data[:place] + limit + data[place + len(limit) :]


def _noise(data: bytes, rng: np.random.Generator) -> bytes:
    place = rng.integers(len(data) + 1)
    return data[:place] + rng.bytes(rng.integers(1, 64)) + data[place:]


_WAYS = (_flip_bits, _flip_bits, _cut, _remove, _repeat, _limit, _limit, _noise)


def mutated(data: bytes, count: int, *, seed: int) -> Iterator[bytes]:
    """Damage data in many ways, each unlike the others and unlike the data.

    Args:
        data: content of the undamaged file.
        count: how many.
        seed: the same one gives the same damage.
    """
    rng = np.random.default_rng(seed)
    seen = {data}
    while len(seen) <= count:
        way = _WAYS[rng.integers(len(_WAYS))]
        damaged = way(data, rng)
        if damaged not in seen:
            seen.add(damaged)
            yield damaged
