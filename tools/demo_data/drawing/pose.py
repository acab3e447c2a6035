"""How a person stands before the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """How a person stands in a picture.

    Attributes:
        yaw: radians; 0 faces the camera, pi/2 walks to the right, pi shows the back.
        phase: radians, of the walk.
        stride: reach of a foot, in units of the height.
    """

    yaw: float
    phase: float
    stride: float

    def place(self, lateral: float, forward: float = 0.0) -> tuple[float, float]:
        """Turn a position beside and before the body's axis into x and nearness to the camera."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return lateral * cos + forward * sin, forward * cos - lateral * sin

    def half_width(self, lateral: float, forward: float) -> float:
        """Half the visible width of an elliptic cross-section with these half axes."""
        return float(np.hypot(lateral * np.cos(self.yaw), forward * np.sin(self.yaw)))
