"""Compare what images were standardised with, in a file of weights and in the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mindspore import nn

from .release_names import PIXEL_BUFFERS

# Of 0..255; less comes from rounding, or from 0.485 * 255 written as 123.675.
_TOLERANCE = 0.01


def compare_pixel_buffers(model: nn.Cell, weights: Mapping[str, np.ndarray]) -> list[str]:
    """Find out whether weights were trained on images standardised otherwise.

    Args:
        model: with `pixel_mean` and `pixel_std`, of three channels, RGB, in 0..255; a model that
            has none is not compared.
        weights: may hold `pixel_mean` and `pixel_std`, as fast-reid wrote them until March 2021.

    Returns:
        A sentence for each that differs, with both values and the key to set.
    """
    found = {name: np.ravel(weights[name]) for name in PIXEL_BUFFERS if name in weights}
    # Some forks scale images to 0..1 first.
    mean = np.abs(found.get("pixel_mean", np.zeros(1)))
    scale = 255.0 if 0 < mean.max(initial=0) <= 1 else 1.0
    notes = []
    for name, theirs in found.items():
        own = getattr(model, name, None)
        if own is None:
            continue
        ours = np.ravel(own.asnumpy())
        theirs = theirs.astype(np.float64) * scale
        if theirs.shape == ours.shape and np.allclose(theirs, ours, rtol=0, atol=_TOLERANCE):
            continue
        unit = " (written in 0..1)" if scale != 1 else ""
        notes.append(
            f"its {name} is {_listed(theirs)}{unit}, the config has {_listed(ours)}. If the "
            f"weights were trained so, set MODEL.{name.upper()} {_listed(theirs, separator=',')}"
        )
    return notes


def _listed(values: np.ndarray, separator: str = ", ") -> str:
    return f"[{separator.join(f'{value:g}' for value in values)}]"
