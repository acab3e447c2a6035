"""Draw anti-aliased shapes on a small image, in units of the figure's height."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_FRACTION_BITS = 4
_OUTLINE = 0.78

Point = tuple  # x, y in units of the figure's height; y points down


class Canvas:
    """An image, and the mask of the pixels that were drawn.

    Args:
        size: width and height in pixels.
        origin: pixel coordinates of the point (0, 0).
        unit: pixels per unit.
    """

    def __init__(self, size: tuple[int, int], *, origin: tuple[float, float], unit: float) -> None:
        width, height = size
        self.image = np.zeros((height, width, 3), np.uint8)
        self.mask = np.zeros((height, width), np.uint8)
        self._origin = np.array(origin, dtype=float)
        self._unit = unit

    def polygon(self, points: Sequence[Point], colour: Sequence[int]) -> None:
        """Fill a polygon and draw its edge darker, so that limbs contrast with the body.

        Args:
            points: corners of the polygon.
            colour: red, green, blue.
        """
        corners = self._fixed_point(points)
        cv2.fillPoly(self.image, [corners], tuple(colour), cv2.LINE_AA, _FRACTION_BITS)
        edge = tuple(int(value * _OUTLINE) for value in colour)
        cv2.polylines(self.image, [corners], True, edge, 1, cv2.LINE_AA, _FRACTION_BITS)
        cv2.fillPoly(self.mask, [corners], 255, cv2.LINE_AA, _FRACTION_BITS)

    def ellipse(self, centre: Point, radii: Point, colour: Sequence[int]) -> None:
        """Fill an ellipse.

        Args:
            centre: centre of the ellipse.
            radii: horizontal and vertical radius.
            colour: red, green, blue.
        """
        turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        x = centre[0] + radii[0] * np.cos(turns)
        y = centre[1] + radii[1] * np.sin(turns)
        self.polygon(list(zip(x, y)), colour)

    def limb(
        self, joints: Sequence[Point], widths: Sequence[float] | np.ndarray, colour: Sequence[int]
    ) -> None:
        """Fill a bent, tapered band with round joints.

        Args:
            joints: two points or more, e.g. hip, knee and ankle.
            widths: width of the band at each joint.
            colour: red, green, blue.
        """
        line = np.array(joints, dtype=float)
        along = np.gradient(line, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
        across = along[:, ::-1] * (-1, 1) * np.array(widths)[:, None] / 2
        last = joints[-1]
        self.ellipse(last, (widths[-1] / 2, widths[-1] / 2), colour)
        self.polygon([*(line + across), *(line - across)[::-1]], colour)

    def paint(self, points: Sequence[Point], texture: np.ndarray) -> None:
        """Fill a polygon from an image.

        Args:
            points: corners of the polygon.
            texture: (H, W, 3) uint8, of the size of the canvas.
        """
        inside = np.zeros_like(self.mask)
        cv2.fillPoly(inside, [self._fixed_point(points)], 255, cv2.LINE_8, _FRACTION_BITS)
        cv2.copyTo(texture, inside, self.image)
        np.maximum(self.mask, inside, out=self.mask)

    def squeeze(self, fraction: float) -> None:
        """Compress the image vertically around its middle row, as seen by a high camera.

        Args:
            fraction: fraction of the height that is removed.
        """
        height, width = self.mask.shape
        matrix = np.array([[1, 0, 0], [0, 1 - fraction, fraction * height / 2]], np.float32)
        self.image = cv2.warpAffine(self.image, matrix, (width, height))
        self.mask = cv2.warpAffine(self.mask, matrix, (width, height))

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the coordinates of all pixels.

        Returns:
            x (1, W) and y (H, 1), in units.
        """
        height, width = self.mask.shape
        x = (np.arange(width)[None, :] - self._origin[0]) / self._unit
        y = (np.arange(height)[:, None] - self._origin[1]) / self._unit
        return x, y

    def _fixed_point(self, points: Sequence[Point]) -> np.ndarray:
        pixels = self._origin + np.array(points, dtype=float) * self._unit
        return np.round(pixels * 2**_FRACTION_BITS).astype(np.int32)
