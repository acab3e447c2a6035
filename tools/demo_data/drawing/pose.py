"""Pose of a person in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Direction and step of a walking person.

    Attributes:
        yaw: direction in radians; 0: towards the camera, pi/2: to the right, pi: away from it.
        phase: phase of the step, in radians.
        stride: largest distance of a foot from the body's axis, in units of the height.
    """

    yaw: float
    phase: float
    stride: float

    def place(self, lateral: float, forward: float = 0.0) -> tuple[float, float]:
        """Convert a position relative to the body's axis to x and nearness to the camera.

        Args:
            lateral: distance to the side of the axis.
            forward: distance in front of the axis.
        """
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return lateral * cos + forward * sin, forward * cos - lateral * sin

    def half_width(self, lateral: float, forward: float) -> float:
        """Give half the visible width of an elliptic cross-section.

        Args:
            lateral: half axis to the side.
            forward: half axis to the front.
        """
        return float(np.hypot(lateral * np.cos(self.yaw), forward * np.sin(self.yaw)))
