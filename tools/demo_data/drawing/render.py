"""Render a picture: the person in front of the background, with the properties of the camera."""

from __future__ import annotations

import cv2
import numpy as np

from .backdrop import paint_backdrop
from .canvas import Canvas
from .domain import Camera, Domain
from .figure import draw_figure, shade
from .identity import Identity
from .pose import Pose

_SUPERSAMPLING = 2
_MIDDLE_GRAY = 118.0


class Renderer:
    """Renders pictures of the cameras of a domain.

    Args:
        domain: look of the pictures.
        cameras: cameras of the domain.
    """

    def __init__(self, domain: Domain, cameras: list[Camera]) -> None:
        self._domain = domain
        self._cameras = cameras
        self._backdrops = [
            paint_backdrop(camera, domain.texture, domain.size) for camera in cameras
        ]

    def picture(self, person: Identity, camera: int, rng: np.random.Generator) -> np.ndarray:
        """Render a picture of a person.

        Args:
            person: the person.
            camera: index of the camera.
            rng: generator of what differs between pictures: pose, crop, size, noise.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        settings = self._cameras[camera]
        size = self._draw_size(rng)
        scene = self._draw_scene(person, settings, self._backdrops[camera], size, rng)
        small = cv2.resize(scene, size, interpolation=cv2.INTER_AREA)
        return _apply_camera(small, settings, rng)

    def empty_picture(self, camera: int, rng: np.random.Generator) -> np.ndarray:
        """Render a picture without a person, such as a false detection.

        Args:
            camera: index of the camera.
            rng: generator of crop, size and noise.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        size = self._draw_size(rng)
        scene = _crop_backdrop(self._backdrops[camera], size, rng)
        return _apply_camera(scene, self._cameras[camera], rng)

    def _draw_size(self, rng: np.random.Generator) -> tuple[int, int]:
        spread = 1 + self._domain.size_jitter * rng.uniform(-1, 1)
        narrow = 1 + 0.3 * self._domain.size_jitter * rng.uniform(-1, 1)
        width, height = self._domain.size
        return round(width * spread * narrow), round(height * spread)

    def _draw_scene(
        self,
        person: Identity,
        camera: Camera,
        backdrop: np.ndarray,
        size: tuple[int, int],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Draw the person in front of the background, in neutral light; (2 H, 2 W, 3) float32."""
        large = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
        scene = _crop_backdrop(backdrop, large, rng)
        canvas = _place_figure(person, camera, large, rng)
        _cast_shadow(scene, canvas)
        share = canvas.mask.astype(np.float32) / 255
        scene = cv2.blendLinear(scene, shade(canvas, light=camera.light), 1 - share, share)
        if rng.random() < self._domain.occluded:
            _occlude(scene, rng)
        return scene


def _crop_backdrop(
    backdrop: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Crop a random part of the background; (H, W, 3) float32."""
    height, width = backdrop.shape[:2]
    part_height = int(height * rng.uniform(0.85, 1.0))
    part_width = min(width, round(part_height * size[0] / size[1]))
    top = rng.integers(height - part_height + 1)
    left = rng.integers(width - part_width + 1)
    part = backdrop[top : top + part_height, left : left + part_width]
    return cv2.resize(part, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _place_figure(
    person: Identity, camera: Camera, size: tuple[int, int], rng: np.random.Generator
) -> Canvas:
    width, height = size
    unit = height * camera.scale * person.height * rng.uniform(0.94, 1.06)
    middle = width * (0.5 + rng.normal(0, 0.035))
    ground = height * (0.5 + 0.5 * camera.scale + rng.normal(0, 0.02))
    # Some persons walk in the opposite direction.
    turned = np.pi if rng.random() < 0.15 else 0.0
    pose = Pose(
        yaw=camera.yaw + turned + rng.normal(0, 0.3),
        phase=rng.uniform(0, 2 * np.pi),
        stride=rng.uniform(0.04, 0.13),
    )
    canvas = Canvas(size, origin=(middle, ground - unit), unit=unit)
    draw_figure(canvas, person, pose)
    canvas.squeeze(camera.tilt)
    return canvas


def _cast_shadow(scene: np.ndarray, canvas: Canvas) -> None:
    """Darken the ground at the feet, in place."""
    rows, columns = np.nonzero(canvas.mask)
    if not len(rows):
        return
    height, width = canvas.mask.shape
    light = np.ones((height, width), np.float32)
    centre = (int(columns.mean()), min(int(rows.max()), height - 1))
    cv2.ellipse(light, centre, (width // 4, height // 40), 0, 0, 360, 0.6, -1)
    scene *= cv2.GaussianBlur(light, (0, 0), height / 80)[..., None]


def _occlude(scene: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a post, a hedge or the corner of a car over the person, in place."""
    height, width = scene.shape[:2]
    colour = (rng.uniform(50, 170) + rng.uniform(-25, 25, 3)).astype(np.float32)
    if rng.random() < 0.4:
        left = int(rng.uniform(0, 0.85) * width)
        scene[:, left : left + max(2, int(width * 0.12))] = colour
        return
    scene[int(height * rng.uniform(0.68, 0.85)) :, : int(width * rng.uniform(0.4, 1.0))] = colour


def _apply_camera(scene: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Apply colours, contrast, blur and noise of the camera; (H, W, 3) uint8."""
    height, width = scene.shape[:2]
    image = scene * (camera.gains * rng.uniform(0.9, 1.1)).astype(np.float32)
    gray = image.mean(axis=2, keepdims=True)
    image = gray + (image - gray) * camera.saturation
    image = _MIDDLE_GRAY + (image - _MIDDLE_GRAY) * camera.contrast
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    image *= 1 + 0.12 * camera.light * across
    image = cv2.GaussianBlur(image, (0, 0), camera.blur * height / 128)
    image += camera.noise * rng.standard_normal(image.shape, dtype=np.float32)
    return image.clip(0, 255).astype(np.uint8)
