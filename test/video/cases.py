"""Small videos of drawn people who walk."""

import cv2
import numpy as np

from demo_data.drawing.canvas import Canvas
from demo_data.drawing.figure import draw_figure, shade
from demo_data.drawing.identity import draw_identity
from demo_data.drawing.pose import Pose
from fastreid.video import Box

SIZE = (240, 200)
FPS = 10
GROUND = 20


def people(number, seed=0):
    rng = np.random.default_rng(seed)
    return [draw_identity(rng) for _ in range(number)]


def draw_frame(walkers, time, size=SIZE):
    """Draw walkers, each (person, place at the start, speed, height in pixels); (H, W, 3) RGB."""
    width, height = size
    picture = np.full((height, width, 3), (170, 165, 160), np.float32)
    picture[height // 2 :] = (120, 125, 120)
    for number, (person, start, speed, tall) in enumerate(walkers):
        canvas = Canvas(size, origin=(start + speed * time, height - GROUND - tall), unit=tall)
        draw_figure(canvas, person, Pose(yaw=0.2, phase=0.7 * time + number, stride=0.1))
        share = canvas.mask.astype(np.float32) / 255
        picture = cv2.blendLinear(picture, shade(canvas, light=0.0), 1 - share, share)
    return picture.clip(0, 255).astype(np.uint8)


def boxes_of(walkers, frames, size=SIZE):
    """The boxes of walkers: half as wide as the people are tall."""
    boxes = []
    for time in range(frames):
        for number, (_, start, speed, tall) in enumerate(walkers, start=1):
            left, top = start + speed * time - tall / 4, size[1] - GROUND - tall
            boxes.append(Box(time + 1, number, left, top, tall / 2, tall))
    return boxes


def write_video(path, frames, fps=FPS):
    """Write frames, (H, W, 3) uint8 RGB, as JPEG pictures in an AVI file."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return path


def write_walk(path, walkers, frames):
    return write_video(path, [draw_frame(walkers, time) for time in range(frames)])


def write_plain(path, frames, size=(48, 40)):
    """Write frames of one gray each, 10 times their number from 1 on."""
    pictures = [np.full((size[1], size[0], 3), 10 * n, np.uint8) for n in range(1, frames + 1)]
    return write_video(path, pictures)


def damage(path, number):
    """Overwrite a frame of a file of `write_video` by zeros."""
    content = bytearray(path.read_bytes())
    place = content.index(b"movi")
    for _ in range(number):
        place = content.index(b"00dc", place + 1)
    length = int.from_bytes(content[place + 4 : place + 8], "little")
    content[place + 8 : place + 8 + length] = bytes(length)
    path.write_bytes(content)
    return path
