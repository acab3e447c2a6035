"""What an exported file says about itself, in its metadata."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The key of the metadata: one text in JSON.
KEY = "fastreid"
# The kinds of input: RGB in 0..255, and RGB in 0..1 less ImageNet's mean, by its deviation.
RAW = "raw"
NORMALIZED = "normalized"
INPUTS = (RAW, NORMALIZED)
# Entries that are lists in JSON.
_LISTS = {"resize", "crop", "mean", "std"}
# ImageNet's mean and standard deviation of RGB in 0..1, as programs for tracking use them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ModelInfo:
    """The description of an exported model.

    Attributes:
        input: "raw" (RGB, 0 to 255) or "normalized" (RGB, 0 to 1, minus ImageNet's mean, divided by
            its standard deviation).
        resize: (height, width) to which pictures are resized, with a bicubic filter.
        crop: (height, width) of the centre that is cut out afterwards; None: nothing is.
        dimension: length of a feature.
        unit_length: whether features have length 1.
        distance: "cosine" or "euclidean", the distance that the model was evaluated with.
        precision: "float32" or "float16", of the weights.
        config: the configuration, as YAML.
        version: version of this package, with the commit if it is known.
        weights: name of the file of weights.
        weights_sha256: hash of the weights' names and values, in lower-case hexadecimal.
        mean, std: of the three channels of RGB in 0..1, with which another program must normalize
            images for a "normalized" file; None: those of ImageNet, or the file does it ("raw").
    """

    input: str
    resize: tuple[int, int]
    crop: tuple[int, int] | None
    dimension: int
    unit_length: bool
    distance: str
    precision: str
    config: str
    version: str
    weights: str
    weights_sha256: str
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images that the network takes."""
        return self.crop or self.resize

    def _require_valid(self) -> None:
        """Check values that would otherwise fail late, or give wrong features.

        Raises:
            ValueError: the message names the first wrong entry.
        """
        is_right = {
            "input": self.input in INPUTS,
            "resize": _is_size(self.resize),
            "crop": self.crop is None or _is_size(self.crop),
            "unit_length": isinstance(self.unit_length, bool),
            "dimension": isinstance(self.dimension, int) and self.dimension > 0,
            "mean": self.mean is None or _is_channels(self.mean),
            "std": self.std is None or (_is_channels(self.std) and min(self.std) > 0),
        }
        for name in ("distance", "precision", "config", "version", "weights", "weights_sha256"):
            is_right[name] = isinstance(getattr(self, name), str)
        for name, right in is_right.items():
            if not right:
                raise ValueError(f"{name} is {getattr(self, name)!r}")
        if (self.mean is None) != (self.std is None):
            raise ValueError(f"mean is {self.mean!r}, but std is {self.std!r}")

    def to_metadata(self) -> dict[str, str]:
        """Return the entries to write into a file."""
        return {KEY: json.dumps(dataclasses.asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> ModelInfo:
        """Read the entries of a file.

        Args:
            metadata: texts by key.
            source: name of the file, for messages.

        Raises:
            ValueError: if the file was not written by tools/export.py, or by a newer version.
        """
        if KEY not in metadata:
            raise ValueError(
                f"{source} has no description of its input and features. Export the model with "
                "tools/export.py."
            )
        try:
            entries = json.loads(metadata[KEY])
            for name in _LISTS.intersection(entries):
                entries[name] = tuple(entries[name]) if entries[name] else None
            info = cls(**entries)
            info._require_valid()
            return info
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"The description in {source} cannot be read ({error}); it was written by another "
                "version of tools/export.py."
            ) from error


def _is_size(value: Any) -> bool:
    """Return whether a value is (height, width)."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(length, int) and length > 0 for length in value)
    )


def _is_channels(value: Any) -> bool:
    """Return whether a value has a finite number for each channel of RGB."""
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and all(isinstance(number, (int, float)) and math.isfinite(number) for number in value)
    )
