"""Find people in a picture."""

from __future__ import annotations

from typing import Callable, NamedTuple

import cv2
import numpy as np

# The window of OpenCV's detector has a margin around the person: what is cut off, as a share of the
# window's width and height, is that of OpenCV's own example.
_MARGIN_X, _MARGIN_Y = 0.1, 0.07
_KEPT = 0.8


class Detections(NamedTuple):
    """People in a picture.

    Attributes:
        boxes: (N, 4) float64: left, top, width and height in pixels.
        scores: (N,) float64.
    """

    boxes: np.ndarray
    scores: np.ndarray


Detector = Callable[[np.ndarray], Detections]
"""Maps a picture, (H, W, 3) uint8 in the order blue, green, red, to the people in it."""


class HogPeopleDetector:
    """OpenCV's detector of upright people, by histograms of oriented gradients.

    Its weights are part of OpenCV (Dalal and Triggs, 2005). It misses people who are lower than
    about 100 pixels, sit, bend or overlap, and finds some poles and door frames.

    Args:
        scale: ratio of the sizes at which the picture is searched, above 1.
        stride: step of the search, in pixels; a multiple of 8.
        threshold: least score.
    """

    def __init__(self, *, scale: float = 1.05, stride: int = 8, threshold: float = 0.0) -> None:
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
        self._options = {
            "hitThreshold": threshold,
            "winStride": (stride, stride),
            "padding": (stride, stride),
            "scale": scale,
        }

    def __call__(self, picture: np.ndarray) -> Detections:
        """Find people.

        Args:
            picture: (H, W, 3) uint8, blue, green, red.

        Returns:
            The people, the highest score first, without the margin of the detector's windows.
        """
        windows, scores = self._hog.detectMultiScale(self._enlarged(picture), **self._options)
        scores = np.asarray(scores, np.float64).reshape(-1)
        left, top, width, height = np.asarray(windows, np.float64).reshape(-1, 4).T
        boxes = [left + _MARGIN_X * width, top + _MARGIN_Y * height, _KEPT * width, _KEPT * height]
        # OpenCV's threads give the people in an order that changes.
        order = np.lexsort([left, -scores])
        return Detections(np.stack(boxes, axis=1)[order], scores[order])

    def _enlarged(self, picture: np.ndarray) -> np.ndarray:
        """Repeat the last row and column: OpenCV crashes at pictures smaller than its window."""
        width, height = self._hog.winSize
        below, right = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
        if not below and not right:
            return picture
        return cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
