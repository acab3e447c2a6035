"""The look of each data set, and its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from .identity import Colour


class Texture(Enum):
    """Kinds of background."""

    LAWN = "lawn"
    STREET = "street"
    CORRIDOR = "corridor"
    SHOPS = "shops"


@dataclass(frozen=True)
class Domain:
    """Look of a data set. Pairs of numbers are the bounds of a uniform distribution.

    Attributes:
        size: width and height of a picture in pixels.
        size_jitter: relative variation of the size between pictures.
        num_cameras: number of cameras; each has its own background and lighting.
        images_per_camera: least number of pictures of a person by a camera that sees it.
        texture: kind of background.
        tint: mean gain of red, green and blue.
        tint_spread: relative variation of the gains between cameras.
        exposure: brightness factor.
        contrast: contrast factor about middle gray.
        saturation: saturation factor; 0 gives gray.
        blur: sigma of the Gaussian blur, in pixels of a picture of height 128.
        noise: standard deviation of the noise, on the scale 0 to 255.
        occluded: fraction of pictures in which an object covers part of the person.
        walls: possible colours of the wall.
        grounds: possible colours of the ground.
        jpeg_quality: quality of the JPEG files.
    """

    size: tuple[int, int]
    size_jitter: float
    num_cameras: int
    images_per_camera: int
    texture: Texture
    tint: tuple[float, float, float]
    tint_spread: float
    exposure: tuple[float, float]
    contrast: tuple[float, float]
    saturation: tuple[float, float]
    blur: tuple[float, float]
    noise: tuple[float, float]
    occluded: float
    walls: Sequence[Colour]
    grounds: Sequence[Colour]
    jpeg_quality: int


@dataclass(frozen=True)
class Camera:
    """Position, background and image properties of a camera.

    Attributes:
        yaw: direction from which the camera sees most persons, in radians.
        scale: height of the tallest person, as a fraction of the picture's height.
        tilt: fraction by which a high camera shortens the body; 0 for none.
        gains: (3,) product of exposure and tint, for red, green and blue.
        contrast: see Domain.
        saturation: see Domain.
        blur: see Domain.
        noise: see Domain.
        light: direction of the light, -1 (from the left) to 1 (from the right).
        horizon: upper edge of the ground, as a fraction of the picture's height.
        wall: colour of the wall.
        ground: colour of the ground.
        seed: seed of the details of the background.
    """

    yaw: float
    scale: float
    tilt: float
    gains: np.ndarray
    contrast: float
    saturation: float
    blur: float
    noise: float
    light: float
    horizon: float
    wall: Colour
    ground: Colour
    seed: int


MARKET = Domain(
    size=(64, 128),
    size_jitter=0.0,
    num_cameras=6,
    images_per_camera=2,
    texture=Texture.LAWN,
    tint=(1.08, 1.02, 0.88),
    tint_spread=0.06,
    exposure=(0.9, 1.25),
    contrast=(0.9, 1.15),
    saturation=(0.85, 1.1),
    blur=(0.5, 0.9),
    noise=(3.0, 7.0),
    occluded=0.08,
    walls=[(120, 150, 92), (152, 148, 138), (98, 122, 86), (176, 168, 150)],
    grounds=[(168, 162, 150), (128, 148, 96), (186, 178, 162)],
    jpeg_quality=88,
)
MSMT17 = Domain(
    size=(76, 168),
    size_jitter=0.2,
    num_cameras=8,
    images_per_camera=2,
    texture=Texture.STREET,
    tint=(0.92, 1.0, 1.08),
    tint_spread=0.12,
    exposure=(0.55, 1.2),
    contrast=(0.75, 1.1),
    saturation=(0.55, 0.95),
    blur=(0.6, 1.5),
    noise=(4.0, 9.0),
    occluded=0.12,
    walls=[(112, 116, 124), (142, 132, 122), (84, 94, 108), (160, 160, 162)],
    grounds=[(108, 108, 112), (138, 134, 132), (92, 92, 98)],
    jpeg_quality=92,
)
CUHK03 = Domain(
    size=(66, 176),
    size_jitter=0.12,
    num_cameras=10,  # five pairs; each person is seen by one pair
    images_per_camera=2,
    texture=Texture.CORRIDOR,
    tint=(1.0, 0.94, 0.96),
    tint_spread=0.25,
    exposure=(0.5, 1.3),
    contrast=(0.6, 1.0),
    saturation=(0.4, 0.65),
    blur=(0.7, 1.1),
    noise=(4.0, 8.0),
    occluded=0.06,
    walls=[(150, 140, 136), (128, 124, 128), (166, 150, 138)],
    grounds=[(136, 122, 116), (112, 106, 108)],
    jpeg_quality=95,
)
CUHK_SYSU = Domain(
    size=(80, 176),
    size_jitter=0.25,
    num_cameras=24,
    images_per_camera=1,
    texture=Texture.SHOPS,
    tint=(1.0, 1.0, 1.0),
    tint_spread=0.14,
    exposure=(0.65, 1.3),
    contrast=(0.95, 1.35),
    saturation=(0.8, 1.25),
    blur=(0.3, 1.0),
    noise=(1.0, 5.0),
    occluded=0.15,
    walls=[(172, 120, 92), (96, 108, 140), (190, 186, 178), (70, 70, 78), (146, 92, 92)],
    grounds=[(150, 146, 142), (104, 100, 100), (180, 168, 152)],
    jpeg_quality=90,
)


def draw_cameras(domain: Domain, rng: np.random.Generator) -> list[Camera]:
    """Draw the cameras of a domain.

    Args:
        domain: the domain.
        rng: generator of all random numbers.

    Returns:
        ``domain.num_cameras`` cameras. Their directions and exposures are spread evenly over their
        ranges, so that also a domain with few cameras has all views.
    """
    count = domain.num_cameras
    yaws = 2 * np.pi * (rng.random() + rng.permutation(count) / count)
    darkest, brightest = domain.exposure
    steps = (rng.permutation(count) + rng.random(count)) / count
    exposures = darkest + (brightest - darkest) * steps
    return [_draw_camera(domain, yaw, exposure, rng) for yaw, exposure in zip(yaws, exposures)]


def _draw_camera(domain: Domain, yaw: float, exposure: float, rng: np.random.Generator) -> Camera:
    tint = np.array(domain.tint) * (1 + rng.uniform(-1, 1, 3) * domain.tint_spread)
    return Camera(
        yaw=float(yaw),
        scale=rng.uniform(0.9, 1.0),
        tilt=rng.uniform(0.0, 0.1),
        gains=exposure * tint,
        contrast=rng.uniform(*domain.contrast),
        saturation=rng.uniform(*domain.saturation),
        blur=rng.uniform(*domain.blur),
        noise=rng.uniform(*domain.noise),
        light=rng.uniform(-1, 1),
        horizon=rng.uniform(0.25, 0.6),
        wall=domain.walls[rng.integers(len(domain.walls))],
        ground=domain.grounds[rng.integers(len(domain.grounds))],
        seed=int(rng.integers(2**31)),
    )
