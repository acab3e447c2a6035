"""Conversion of number formats: bfloat16 to float32, and any byte order to the native one."""

from __future__ import annotations

import numpy as np


def widen_bfloat16(halves: np.ndarray) -> np.ndarray:
    """Convert bfloat16 to float32, which is exact.

    Args:
        halves: the numbers as 16-bit unsigned integers, in any shape.

    Returns:
        A read-only float32 array of the same shape.
    """
    # A bfloat16 is the upper half of a float32.
    values = (halves.astype("<u4") << 16).view("<f4")
    values.flags.writeable = False
    return values


def in_native_order(array: np.ndarray) -> np.ndarray:
    """Convert an array to the byte order of this machine.

    Args:
        array: an array of any type and shape.

    Returns:
        The same numbers in C order; the array itself if nothing has to change.
    """
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
