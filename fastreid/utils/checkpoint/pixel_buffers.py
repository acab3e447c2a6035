"""Compare the pixel mean and standard deviation of a weights file with those of the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mindspore import nn

from .release_names import PIXEL_BUFFERS

# On the scale 0..255. Smaller differences come from rounding, as in 123.675 for 0.485 * 255.
_TOLERANCE = 0.01


def compare_pixel_buffers(model: nn.Cell, weights: Mapping[str, np.ndarray]) -> list[str]:
    """Check whether weights were trained on images normalized with other values.

    Args:
        model: a model with `pixel_mean` and `pixel_std` for RGB in 0..255; a model without them is
            not compared.
        weights: arrays by name; may contain `pixel_mean` and `pixel_std`, which fast-reid saved
            until March 2021.

    Returns:
        A sentence for each of the two that differs, with both values and the key to set.
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
            f"its {name} is {_format(theirs)}{unit}, the config has {_format(ours)}. If the "
            "weights were trained with it, set "
            f"MODEL.{name.upper()} {_format(theirs, separator=',')}"
        )
    return notes


def _format(values: np.ndarray, separator: str = ", ") -> str:
    return f"[{separator.join(f'{value:g}' for value in values)}]"
