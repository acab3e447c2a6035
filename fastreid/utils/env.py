"""Seeds of the generators that nobody passes around."""

from __future__ import annotations

import random

import mindspore as ms
import numpy as np


def seed_all_rng(seed: int) -> None:
    """Seed Python, NumPy and MindSpore; what takes a seed of its own is not affected.

    Args:
        seed: in [0, 2**32).

    Raises:
        ValueError: for a seed outside that range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"SEED ({seed}) must be at least 0 and less than 2**32.")
    random.seed(seed)
    np.random.seed(seed)
    ms.set_seed(seed)
