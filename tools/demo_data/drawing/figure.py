"""Draw a walking person from any side."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .canvas import Canvas, Point
from .head import draw_head
from .identity import Bag, Colour, Identity, Lower, Pattern, dim
from .pose import Pose

# Heights of the joints, from the top of the head (0) to the soles (1).
_SHOULDER, _ELBOW, _HIP, _HAND, _KNEE, _ANKLE = 0.165, 0.33, 0.5, 0.475, 0.73, 0.955
_STRIPE = 0.066

_FAR_SIDE = 0.8  # brightness of the arm and the leg on the far side of the body
_BEHIND = -0.03  # parts farther from the camera than this are drawn first, the body after them


def draw_figure(canvas: Canvas, person: Identity, pose: Pose) -> None:
    """Draw a person; (0, 0) is the top of the head, (0, 1) the ground below.

    Args:
        canvas: canvas to draw on.
        person: the person.
        pose: pose of the person.
    """
    _Figure(canvas, person, pose).draw()


class _Figure:
    """One drawing of a person; parts are drawn from the farthest to the nearest."""

    def __init__(self, canvas: Canvas, person: Identity, pose: Pose) -> None:
        self._canvas = canvas
        self._person = person
        self._pose = pose
        self._shoulders = pose.half_width(0.118 * person.build, 0.075 * person.build)
        self._waist = pose.half_width(0.088 * person.build, 0.075 * person.build)
        self._hips = pose.half_width(0.098 * person.build, 0.08 * person.build)

    def draw(self) -> None:
        attached = [self._arm(-1), self._arm(1), *self._bag_parts()]
        attached.sort(key=lambda part: part[0])
        for nearness, draw in attached:
            if nearness < _BEHIND:
                draw()
        self._draw_legs()
        self._draw_lower()
        self._draw_torso()
        draw_head(self._canvas, self._person, self._pose)
        for nearness, draw in attached:
            if nearness >= _BEHIND:
                draw()

    def _draw_legs(self) -> None:
        legs = [self._leg(-1), self._leg(1)]
        for nearness, draw in sorted(legs, key=lambda leg: leg[0]):
            draw(_FAR_SIDE if nearness < -0.01 else 1.0)

    def _leg(self, side: int) -> tuple[float, Callable[[float], None]]:
        person, pose = self._person, self._pose
        swing = pose.stride * np.sin(pose.phase + (0 if side > 0 else np.pi))
        hip_x, nearness = pose.place(side * 0.048 * person.build)
        ankle_x, ankle_nearness = pose.place(side * 0.05 * person.build, swing)
        knee_x, _ = pose.place(side * 0.05 * person.build, 0.5 * swing + 0.025)
        # A foot nearer to the camera is lower in the picture.
        ankle_y = _ANKLE + 0.12 * (ankle_nearness - nearness) - 0.015
        joints = [(hip_x, _HIP), (knee_x, _KNEE), (ankle_x, ankle_y)]
        toe = 0.035 * np.sin(pose.yaw)

        def draw(light: float) -> None:
            upper, lower = self._leg_colours(light)
            widths = np.array([0.092, 0.07, 0.048]) * (0.6 + 0.4 * person.build)
            self._canvas.ellipse(
                (ankle_x + toe, ankle_y + 0.022),
                (0.028 + abs(toe) * 0.7, 0.021),
                dim(person.shoe_colour, light),
            )
            self._canvas.limb(joints[1:], widths[1:], lower)
            self._canvas.limb(joints[:2], widths[:2], upper)

        return nearness, draw

    def _leg_colours(self, light: float) -> tuple[Colour, Colour]:
        cloth, skin = dim(self._person.lower_colour, light), dim(self._person.skin, light)
        if self._person.lower is Lower.TROUSERS:
            return cloth, cloth
        return (cloth if self._person.lower is Lower.SHORTS else skin), skin

    def _draw_lower(self) -> None:
        spread = 1.5 if self._person.lower is Lower.SKIRT else 1.0
        hem = 0.7 if self._person.lower is Lower.SKIRT else _HIP + 0.05
        waist, hips = self._waist, self._hips * spread
        outline = [(-waist, 0.44), (waist, 0.44), (hips, hem), (-hips, hem)]
        self._canvas.polygon(outline, self._person.lower_colour)

    def _draw_torso(self) -> None:
        neck = 0.032
        self._canvas.limb([(0, 0.11), (0, _SHOULDER + 0.01)], [0.055, 0.06], self._person.skin)
        right = [
            (neck, _SHOULDER - 0.02),
            (self._shoulders, _SHOULDER + 0.012),
            (self._shoulders, 0.23),
            (self._waist, 0.38),
            (self._hips, _HIP),
        ]
        left = [(-x, y) for x, y in reversed(right)]
        self._canvas.polygon([*right, *left], self._person.upper_colour)
        if self._person.pattern not in (Pattern.PLAIN, Pattern.LOGO):
            self._canvas.paint([*right, *left], self._fabric())
        if self._person.pattern is Pattern.LOGO and np.cos(self._pose.yaw) > 0.2:
            x, _ = self._pose.place(0, 0.07)
            width = 0.055 * np.cos(self._pose.yaw)
            self._canvas.ellipse((x, 0.265), (width, 0.05), self._person.pattern_colour)

    def _fabric(self) -> np.ndarray:
        person = self._person
        x, y = self._canvas.coordinates()
        second = np.zeros(self._canvas.mask.shape, bool)
        if person.pattern is Pattern.STRIPES:
            second |= (y / _STRIPE) % 1 < 0.45
        elif person.pattern is Pattern.CHECKS:
            # Cloth goes around the body, so checks are narrower in a side view.
            columns = x / (_STRIPE * self._shoulders / 0.11)
            second |= ((y / _STRIPE) % 1 < 0.5) ^ (columns % 1 < 0.5)
        elif person.pattern is Pattern.BLOCKS:
            second |= y + 0 * x > 0.33
        colours = np.array([person.upper_colour, person.pattern_colour], np.uint8)
        return colours[second.astype(int)]

    def _arm(self, side: int) -> tuple[float, Callable[[], None]]:
        person, pose = self._person, self._pose
        swing = -0.75 * pose.stride * np.sin(pose.phase + (0 if side > 0 else np.pi))
        reach = 0.118 * person.build
        shoulder_x, nearness = pose.place(side * reach)
        elbow_x, _ = pose.place(side * (reach + 0.014), 0.45 * swing)
        hand_x, _ = pose.place(side * (reach + 0.008), swing + 0.02)
        hand_y = _HAND - 0.25 * abs(swing)
        light = _FAR_SIDE if nearness < _BEHIND else 0.93
        sleeve = dim(person.upper_colour, light)
        skin = dim(person.skin, light)

        def draw() -> None:
            thick = 0.048 * (0.6 + 0.4 * person.build)
            joints: list[Point] = [(shoulder_x, _SHOULDER + 0.03), (elbow_x, _ELBOW)]
            self._canvas.ellipse((hand_x, hand_y + 0.012), (0.02, 0.024), skin)
            forearm = sleeve if person.long_sleeves else skin
            self._canvas.limb([joints[1], (hand_x, hand_y)], [thick * 0.9, thick * 0.7], forearm)
            self._canvas.limb(joints, [thick * 1.15, thick], sleeve)

        return nearness, draw

    def _bag_parts(self) -> list[tuple[float, Callable[[], None]]]:
        if self._person.bag is Bag.BACKPACK:
            return [self._backpack(), *self._straps()]
        if self._person.bag is Bag.HANDBAG:
            return [self._handbag()]
        return []

    def _backpack(self) -> tuple[float, Callable[[], None]]:
        colour = self._person.bag_colour
        x, nearness = self._pose.place(0, -0.105)
        half = self._pose.half_width(0.092, 0.058)

        def draw() -> None:
            self._canvas.polygon(_rounded((x, 0.3), (half, 0.125)), colour)
            pocket = (x - 0.02 * np.sin(self._pose.yaw), 0.365)
            self._canvas.polygon(_rounded(pocket, (half * 0.7, 0.045)), dim(colour, 0.82))

        return nearness, draw

    def _straps(self) -> list[tuple[float, Callable[[], None]]]:
        if np.cos(self._pose.yaw) < -0.2:
            return []
        colour = dim(self._person.bag_colour, 0.9)

        def strap(side: int) -> Callable[[], None]:
            top, _ = self._pose.place(side * 0.06, 0.02)
            low, _ = self._pose.place(side * 0.072, 0.05)
            ends = [(top, _SHOULDER - 0.008), (low, 0.36)]
            return lambda: self._canvas.limb(ends, [0.022, 0.022], colour)

        # The shoulder on the far side hides its strap.
        return [(0.0, strap(side)) for side in (-1, 1) if -side * np.sin(self._pose.yaw) > -0.6]

    def _handbag(self) -> tuple[float, Callable[[], None]]:
        colour = self._person.bag_colour
        side = self._person.bag_side
        x, nearness = self._pose.place(side * 0.14 * self._person.build)
        half = self._pose.half_width(0.04, 0.082)

        def draw() -> None:
            top, _ = self._pose.place(side * 0.07)
            strap = dim(colour, 0.75)
            self._canvas.limb([(top, _SHOULDER), (x, 0.47)], [0.014, 0.014], strap)
            self._canvas.polygon(_rounded((x, 0.525), (half, 0.062)), colour)

        # The bag is outside of the arm.
        return nearness * 1.2 + 0.001, draw


def shade(canvas: Canvas, *, light: float) -> np.ndarray:
    """Shade the figure: darker towards its edge and on the side away from the light.

    Args:
        canvas: canvas with a figure.
        light: direction of the light, -1 (from the left) to 1 (from the right).

    Returns:
        (H, W, 3) float32, 0 to 255.
    """
    depth = cv2.distanceTransform((canvas.mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    reach = max(float(depth.max()), 1.0)
    rounding = 0.7 + 0.3 * np.minimum(depth / (0.5 * reach), 1.0)
    x, _ = canvas.coordinates()
    sideways = (1.0 + 0.9 * light * np.clip(x, -0.2, 0.2)).astype(np.float32)
    return canvas.image * (rounding * sideways)[..., None]


def _rounded(centre: Point, half: Point) -> list[Point]:
    """Give the corners of a rectangle with cut corners."""
    (x, y), (w, h) = centre, half
    cut = 0.35 * min(w, h)
    corner = [(w, h - cut), (w - cut, h)]
    right = [(x + dx, y + dy) for dx, dy in corner]
    left = [(x - dx, y + dy) for dx, dy in reversed(corner)]
    top = [(x - dx, y - dy) for dx, dy in corner] + [
        (x + dx, y - dy) for dx, dy in reversed(corner)
    ]
    return [*right, *left, *top]
