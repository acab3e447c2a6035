"""Draw backgrounds: a wall with objects, above a floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from .domain import Camera, Texture
from .identity import Colour

_WIDTHS_OF_A_PICTURE = 4


def paint_backdrop(camera: Camera, texture: Texture, size: tuple[int, int]) -> np.ndarray:
    """Draw the background of a camera.

    Args:
        camera: the camera; its seed determines all details.
        texture: kind of background.
        size: width and height of a picture of a person.

    Returns:
        (H, 4 W, 3) uint8, four pictures wide; each picture of a person shows a part of it.
    """
    rng = np.random.default_rng(camera.seed)
    width, height = size[0] * _WIDTHS_OF_A_PICTURE, size[1]
    floor = int(camera.horizon * height)
    image = np.empty((height, width, 3), np.uint8)
    image[:floor] = camera.wall
    image[floor:] = camera.ground
    _PAINTERS[texture](image, floor, rng)
    grain = _cloud(rng, (width, height), cells=12, strength=18)
    grain += _cloud(rng, (width, height), cells=64, strength=12)
    return (image + grain[..., None]).clip(0, 255).astype(np.uint8)


def _lawn(image: np.ndarray, floor: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    for _ in range(12):
        centre = (int(rng.integers(width)), int(floor * rng.uniform(0.2, 1.0)))
        radius = int(height * rng.uniform(0.06, 0.16))
        green = np.array((66, 104, 52)) * rng.uniform(0.6, 1.3)
        cv2.circle(image, centre, radius, _colour(green), -1, cv2.LINE_AA)
    grass = np.array((112, 140, 78)) * rng.uniform(0.8, 1.1)
    top = int(floor + (height - floor) * rng.uniform(0.1, 0.4))
    cv2.rectangle(image, (0, floor), (width, top), _colour(grass), -1)


def _street(image: np.ndarray, floor: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    for _ in range(5):
        left = int(rng.integers(width))
        body = _muted(rng)
        bottom = floor + int(height * 0.06)
        right = left + int(width * rng.uniform(0.15, 0.3))
        top = bottom - int(height * rng.uniform(0.12, 0.2))
        cv2.rectangle(image, (left, top), (right, bottom), body, -1)
        cv2.rectangle(image, (left, top), (right, (top + bottom) // 2), (58, 64, 72), -1)
    for x in rng.integers(width, size=4):
        post = (int(x), int(x) + max(2, width // 90))
        cv2.rectangle(image, (post[0], 0), (post[1], floor + height // 10), (64, 64, 66), -1)
    for y in np.linspace(floor, height, 4)[1:]:
        cv2.line(image, (0, int(y)), (width, int(y)), (172, 172, 170), 1, cv2.LINE_AA)


def _corridor(image: np.ndarray, floor: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    step = width // 9
    start = int(rng.integers(step))
    for x in range(start, width, step):
        cv2.line(image, (x, 0), (x, floor), _colour(image[0, 0] * 0.82), 2)
        cv2.line(image, (x, floor), (x - step, height), _colour(image[-1, 0] * 0.86), 1)
    for y in np.geomspace(floor + 4, height, 5):
        cv2.line(image, (0, int(y)), (width, int(y)), _colour(image[-1, 0] * 0.86), 1)
    for x in rng.integers(width, size=2):
        door = (int(x) + int(width * 0.13), floor)
        cv2.rectangle(image, (int(x), int(floor * 0.15)), door, _colour((112, 84, 62)), -1)


def _shops(image: np.ndarray, floor: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    for _ in range(6):
        left = int(rng.integers(-width // 8, width))
        right = left + int(width * rng.uniform(0.1, 0.25))
        top, bottom = int(floor * rng.uniform(0, 0.4)), floor - int(rng.integers(6))
        cv2.rectangle(image, (left, top), (right, bottom), _muted(rng), -1)
        sign = top + max(2, (bottom - top) // 5)
        cv2.rectangle(image, (left, top), (right, sign), _muted(rng), -1)
    for _ in range(5):
        # Persons in the distance.
        x = int(rng.integers(width))
        tall = int(height * rng.uniform(0.12, 0.22))
        foot = floor + int(height * rng.uniform(0.0, 0.08))
        colour = _muted(rng)
        cv2.ellipse(image, (x, foot - tall // 2), (tall // 6, tall // 2), 0, 0, 360, colour, -1)
        cv2.circle(image, (x, foot - tall), max(2, tall // 9), (196, 156, 130), -1)


def _cloud(
    rng: np.random.Generator, size: tuple[int, int], *, cells: int, strength: float
) -> np.ndarray:
    """Draw smooth noise; (H, W) float32."""
    noise = rng.normal(0, strength, (cells, cells)).astype(np.float32)
    return cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)


def _muted(rng: np.random.Generator) -> Colour:
    """Draw an unsaturated colour, less conspicuous than the clothes of persons."""
    return _colour(rng.uniform(40, 200) + rng.uniform(-35, 35, 3))


def _colour(values: np.ndarray | Colour) -> Colour:
    return tuple(int(value) for value in np.clip(values, 0, 255))


_PAINTERS: Mapping[Texture, Callable[[np.ndarray, int, np.random.Generator], None]] = {
    Texture.LAWN: _lawn,
    Texture.STREET: _street,
    Texture.CORRIDOR: _corridor,
    Texture.SHOPS: _shops,
}
