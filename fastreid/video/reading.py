"""Read the frames of a video, and count those that cannot be read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fastreid.utils.messages.errors import ExplainedError

# Where the number of frames in the header of a file is much too large, reading ends here.
_MOST_FAILURES = 1000
_LISTED = 5
# No messages of FFmpeg on the screen: what cannot be read is counted instead.
_FFMPEG_LEVEL = ("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoError(ExplainedError, ValueError):
    """A video cannot be used; the message says why."""


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        number: 1 for the first frame of the file.
        seconds: time since the start of the video.
        pixels: (H, W, 3) uint8, blue, green, red.
    """

    number: int
    seconds: float
    pixels: np.ndarray


class Video:
    """A video file, which may be read several times.

    Args:
        path: the file, of any kind that OpenCV reads.

    Raises:
        FileNotFoundError: the file does not exist.
        VideoError: it is empty or no video.

    Attributes:
        path: the file.
        size: width and height of the frames.
        fps: frames per second; 0.0 if the file does not name it.
        announced: number of frames that the header of the file names; 0: none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no video file {self.path}.")
        if self.path.stat().st_size == 0:
            raise VideoError(f"The video {self.path} is empty: the file has 0 bytes.")
        with _opened(self.path) as capture:
            if not capture.isOpened():
                raise VideoError(f"{self.path} cannot be read as a video; is it damaged?")
            width, height, fps, count = (
                capture.get(key)
                for key in (
                    cv2.CAP_PROP_FRAME_WIDTH,
                    cv2.CAP_PROP_FRAME_HEIGHT,
                    cv2.CAP_PROP_FPS,
                    cv2.CAP_PROP_FRAME_COUNT,
                )
            )
        self.size = int(width), int(height)
        self.fps = fps if np.isfinite(fps) and fps > 0 else 0.0
        self.announced = max(0, int(count)) if np.isfinite(count) else 0

    def frames(
        self, *, every: int = 1, only: Collection[int] | None = None, until: int | None = None
    ) -> FrameReader:
        """Read frames in order.

        Args:
            every: N for frames 1, N + 1, 2 N + 1, ...
            only: numbers of the frames to give; None: all.
            until: number of the last frame that is read; None: to the end.

        Raises:
            VideoError: `every` is below 1.
        """
        if every < 1:
            raise VideoError(f"Every {every} frames cannot be read; give 1 or more.")
        return FrameReader(self, every=every, only=only, until=until)


class FrameReader:
    """An iterator over frames, which knows at its end what could not be read.

    A frame that cannot be decoded keeps its number. OpenCV does not report a frame whose damage it
    has concealed.

    Args:
        video: the file.
        every: as for `Video.frames`.
        only: as for `Video.frames`.
        until: as for `Video.frames`.

    Attributes:
        last: number of the last frame that was read.
        bad: numbers of frames before it that cannot be decoded.
        missing: number of frames after it that the header of the file names.
    """

    def __init__(
        self,
        video: Video,
        *,
        every: int = 1,
        only: Collection[int] | None = None,
        until: int | None = None,
    ) -> None:
        self.last = 0
        self.bad: list[int] = []
        self.missing = 0
        self._video = video
        self._every = every
        self._only = only
        self._until = until

    @property
    def end(self) -> int:
        """Number of the last frame that the file has, read or not."""
        return self.last + self.missing

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames.

        Raises:
            VideoError: the video has no frame that can be read.
        """
        self.last, self.bad, self.missing = 0, [], 0
        with _opened(self._video.path) as capture:
            for number in self._grabbed(capture):
                if not self._is_wanted(number):
                    continue
                is_read, pixels = capture.retrieve()
                if is_read:
                    yield Frame(number, self._seconds(capture, number), pixels)
                else:
                    self.bad.append(number)
        if self.last == 0:
            raise VideoError(f"The video {self._video.path} has no frame that can be read.")

    def remark(self) -> str:
        """Say which frames could not be read; "" if all could."""
        parts = []
        if self.bad:
            shown = ", ".join(map(str, self.bad[:_LISTED])) + ", ..." * (len(self.bad) > _LISTED)
            parts.append(f"{len(self.bad)} frames cannot be decoded and are left out ({shown})")
        if self.missing:
            parts.append(f"frames {self.last + 1} to {self.end} of the file cannot be read")
        return f"{self._video.path}: {'; '.join(parts)}." if parts else ""

    def _is_wanted(self, number: int) -> bool:
        if self._only is not None and number not in self._only:
            return False
        return (number - 1) % self._every == 0

    def _grabbed(self, capture: cv2.VideoCapture) -> Iterator[int]:
        """Give the number of each frame that can be read, while it is the current one."""
        number = failures = 0
        while self._until is None or number < self._until:
            number += 1
            if not capture.grab():
                # OpenCV reports the end of the file and a bad frame in the same way.
                failures += 1
                if number > self._video.announced or failures > _MOST_FAILURES:
                    break
                continue
            self.bad += range(number - failures, number)
            failures, self.last = 0, number
            yield number
        self.missing = max(0, min(number, self._video.announced) - self.last)

    def _seconds(self, capture: cv2.VideoCapture, number: int) -> float:
        milliseconds = capture.get(cv2.CAP_PROP_POS_MSEC)
        if np.isfinite(milliseconds) and milliseconds >= 0 and (milliseconds > 0 or number == 1):
            return milliseconds / 1000
        return (number - 1) / self._video.fps if self._video.fps else 0.0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """Open a file without messages of OpenCV on the screen."""
    os.environ.setdefault(*_FFMPEG_LEVEL)
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        capture = cv2.VideoCapture(str(path))
    finally:
        cv2.setLogLevel(level)
    try:
        yield capture
    finally:
        capture.release()
