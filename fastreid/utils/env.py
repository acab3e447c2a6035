"""Seeding, and saving and restoring the global random generators."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np


def seed_all_rng(seed: int) -> None:
    """Seed the global generators of Python, NumPy and MindSpore.

    Objects that have their own generator, such as samplers, are not affected.

    Args:
        seed: in [0, 2**32).

    Raises:
        ValueError: the seed is outside that range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"SEED ({seed}) must be at least 0 and less than 2**32.")
    random.seed(seed)
    np.random.seed(seed)
    ms.set_seed(seed)


class GlobalRandomness:
    """The states of Python's, NumPy's and MindSpore's global generators, for checkpoints.

    Training itself does not use these generators; users' hooks may. MindSpore's random operators,
    such as the dropout of vision transformers, have separate states on CPU, which MindSpore does
    not make accessible.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the states."""
        version, words, gauss = random.getstate()
        drawn = np.random.get_state(legacy=False)
        kind, keys, position = drawn["bit_generator"], drawn["state"]["key"], drawn["state"]["pos"]
        return {
            "python": json.dumps([version, list(words), gauss]),
            "numpy": json.dumps([kind, position, drawn["has_gauss"], drawn["gauss"]]),
            "numpy_keys": keys.astype(np.int64),
            "mindspore": ms.get_rng_state().asnumpy().copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the states."""
        version, words, gauss = json.loads(state["python"])
        random.setstate((version, tuple(words), gauss))
        kind, position, has_gauss, cached = json.loads(state["numpy"])
        keys = np.asarray(state["numpy_keys"]).astype(np.uint32)
        np.random.set_state((kind, keys, position, has_gauss, cached))
        ms.set_rng_state(ms.Tensor(np.array(state["mindspore"])))
