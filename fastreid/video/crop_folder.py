"""Write the people of a video as a folder of crops, with their labels and tracks."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fastreid.utils.atomic_file import make_folder
from fastreid.utils.labels import normal_form

from .boxes import Box, by_track, write_boxes
from .crops import cut_boxes, frames_of, require_frames, spread_boxes
from .reading import Video, VideoError

CROPS, LIST, TRACKS = "crops", "crops.csv", "tracks.csv"
# The columns of the data set ImageList, and what else is known.
COLUMNS = ("path", "pid", "camid", "split", "time", "frame", "score")
_SPLIT = "gallery"
_QUALITY = 95


class CropSummary(NamedTuple):
    """What a folder of crops has.

    Attributes:
        tracks: number of tracks.
        boxes: number of their boxes.
        crops: number of crops.
        remark: which frames could not be read; "" if all could.
    """

    tracks: int
    boxes: int
    crops: int
    remark: str


def check_labels(camid: str, prefix: str = "") -> None:
    """Check the name of a camera, and what identities begin with; both become parts of file names.

    Args:
        camid: a number or a word.
        prefix: "" or a word.

    Raises:
        ValueError: one has other characters than letters, digits, "-" and "_", the camera is empty
            or a number of more than 64 bits, or the prefix is a number.
    """
    for what, text in (("camera", camid), ("prefix", prefix)):
        if not all(c.isalnum() or c in "-_" for c in text):
            raise ValueError(
                f"The {what} is {text!r}; it must consist of letters, digits, '-' and '_', such as "
                "entrance."
            )
    if not camid:
        raise ValueError("The camera has no name; give a number or a word.")
    normal_form(camid)
    if prefix and isinstance(normal_form(f"{prefix}1"), int):
        raise ValueError(f"The prefix is {prefix!r}, so that other tracks had the same number.")


def check_new_folder(folder: Path) -> None:
    """Check that a folder can be made.

    Args:
        folder: the folder; it may exist if it is empty.

    Raises:
        FileExistsError: it is a file, or has files.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists; give another folder, or remove it.")


def write_crop_folder(
    folder: Path,
    video: Video,
    boxes: Sequence[Box],
    *,
    camid: str,
    prefix: str = "",
    max_crops: int | None = None,
    start: float = 0.0,
) -> CropSummary:
    """Cut tracked people out of a video.

    The folder appears when it is complete. It has the crops as JPEG files; crops.csv, which the
    data set ImageList reads, with the track as the identity and the time in seconds; and
    tracks.csv with all boxes, see `read_boxes`.

    Args:
        folder: the folder to make; see `check_new_folder`.
        video: the video.
        boxes: boxes of tracks, at least one.
        camid: name of the camera.
        prefix: what identities begin with; the tracks of two videos need two of them.
        max_crops: most crops of a track, from its whole time; None: all.
        start: when the video starts; it is added to the times. In seconds since 1970, times are
            those of galleries.

    Returns:
        The numbers of tracks and crops.

    Raises:
        BoxError: a box is outside of the picture, or its frame is beyond the end of the video.
        VideoError: no crop can be read.
        FileExistsError: the folder has files.
    """
    check_labels(camid, prefix)
    tracks = by_track(boxes)
    chosen = [
        box
        for some in tracks.values()
        for box in spread_boxes(some, max_crops or len(some), video.size)
    ]
    reader = frames_of(video, chosen, until=max(box.frame for box in boxes))
    rows: list[tuple] = []

    def fill(new: Path) -> None:
        (new / CROPS).mkdir()
        for crop in cut_boxes(reader, chosen, video.size):
            box = crop.box
            pid = f"{prefix}{box.track:04d}"
            name = f"{CROPS}/{pid}_c{camid}_f{box.frame:06d}.jpg"
            crop.picture.save(new / name, quality=_QUALITY)
            time, score = f"{start + crop.seconds:.3f}", f"{box.score:.4f}"
            rows.append((name, f"{prefix}{box.track}", camid, _SPLIT, time, box.frame, score))
        require_frames(video, reader, boxes)
        if not rows:
            raise VideoError(f"No frame of the boxes can be read from {video.path}.")
        with (new / LIST).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(sorted(rows))
        write_boxes(new / TRACKS, boxes)

    check_new_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_folder(folder, fill, is_complete=lambda _: False)
    return CropSummary(len(tracks), len(boxes), len(rows), reader.remark())
