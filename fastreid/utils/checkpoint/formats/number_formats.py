"""Numbers in forms that this machine or NumPy does not have: bfloat16, big-endian."""

from __future__ import annotations

import numpy as np


def widen_bfloat16(halves: np.ndarray) -> np.ndarray:
    """Make float32 of bfloat16, exactly.

    Args:
        halves: the numbers as unsigned integers of two bytes, in any shape.

    Returns:
        The same numbers, float32 of the same shape, which cannot be written to.
    """
    # A bfloat16 is the upper half of a float32.
    values = (halves.astype("<u4") << 16).view("<f4")
    values.flags.writeable = False
    return values


def in_native_order(array: np.ndarray) -> np.ndarray:
    """Put the bytes of numbers into the order of this machine.

    Args:
        array: of any type and shape.

    Returns:
        The same numbers in C order; the array itself where nothing is to change.
    """
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
