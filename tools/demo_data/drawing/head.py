"""Draw head and hair."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas
from .identity import Hair, Identity, dim
from .pose import Pose

_CENTRE_Y = 0.073
_RADII = (0.046, 0.064)
_SHOULDERS_Y = 0.2
_EYES = (40, 30, 30)


def draw_head(canvas: Canvas, person: Identity, pose: Pose) -> None:
    """Draw the head of a person; see ``draw_figure``.

    Args:
        canvas: canvas to draw on.
        person: the person.
        pose: pose of the person.
    """
    facing = np.cos(pose.yaw)
    if person.hair is Hair.LONG:
        _draw_long_hair(canvas, person, pose, top=0.05)
    canvas.ellipse((0, _CENTRE_Y), _RADII, person.skin)
    back_x, _ = pose.place(0, -0.034)
    width = _RADII[0] * np.interp(abs(facing), [0, 1], [0.82, 1.06])
    if facing > -0.4:
        canvas.ellipse((back_x * 0.7, 0.032), (width * 1.02, 0.036), person.hair_colour)
        sides = width * 0.75 * (1 - max(facing, 0))
        canvas.ellipse((back_x, 0.06), (sides, 0.05), person.hair_colour)
        if facing > 0.3:
            _draw_eyes(canvas, pose)
    else:
        canvas.ellipse((back_x, _CENTRE_Y - 0.008), (width, 0.058), person.hair_colour)
    if person.hair is Hair.LONG and facing < 0.3:
        _draw_long_hair(canvas, person, pose, top=0.04)
    elif person.hair is Hair.BUN:
        canvas.ellipse((back_x * 0.9, 0.0), (0.024, 0.022), person.hair_colour)
    elif person.hair is Hair.CAP:
        _draw_cap(canvas, person, pose)


def _draw_eyes(canvas: Canvas, pose: Pose) -> None:
    for side in (-1, 1):
        x, _ = pose.place(side * 0.019, 0.024)
        canvas.ellipse((x, 0.074), (0.005, 0.005), _EYES)


def _draw_long_hair(canvas: Canvas, person: Identity, pose: Pose, *, top: float) -> None:
    x, _ = pose.place(0, -0.02)
    half = pose.half_width(0.06, 0.036)
    upper = [(x - half * 0.8, top), (x + half * 0.8, top)]
    lower = [(x + half, _SHOULDERS_Y), (x - half, _SHOULDERS_Y)]
    canvas.polygon([*upper, *lower], person.hair_colour)


def _draw_cap(canvas: Canvas, person: Identity, pose: Pose) -> None:
    canvas.ellipse((0, 0.026), (0.05, 0.034), person.pattern_colour)
    peak, nearness = pose.place(0, 0.045)
    if nearness > -0.02:
        half = pose.half_width(0.04, 0.03)
        canvas.ellipse((peak, 0.046), (half, 0.009), dim(person.pattern_colour, 0.8))
