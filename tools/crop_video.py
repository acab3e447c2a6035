"""Find the people of a video, track them, and write crops with labels.

    python tools/crop_video.py V.mp4 --output people --every 3

OUTPUT gets the folder crops; crops.csv, which the data set ImageList and tools/extract_features.py
read, with the track as the identity, and the time in seconds; and tracks.csv with all boxes in the
columns of the MOTChallenge, with positions from 0, for tools/search.py.

People are found by OpenCV's own detector, which needs no download, and misses many: those who are
lower than about 100 pixels, sit, bend or stand close together. docs/video.md says how to use the
boxes of another program instead: --boxes takes a file of tracks.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.command_line.times import time_option
from fastreid.utils.file_io.output_path import check_output_folder
from fastreid.utils.logger import log_to_screen
from fastreid.video import (
    Box,
    BoxError,
    HogPeopleDetector,
    LinkSettings,
    Video,
    VideoError,
    check_labels,
    check_new_folder,
    link_people,
    read_boxes,
    select_boxes,
    write_crop_folder,
)

logger = logging.getLogger("fastreid.crop_video")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="crop_video.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("video", type=user_path, metavar="VIDEO", help="the video file")
    parser.add_argument(
        "--output", type=user_path, required=True, metavar="FOLDER", help="the folder to make"
    )
    parser.add_argument(
        "--boxes", type=user_path, metavar="TRACKS.csv", help="tracks of another program"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="look at every Nth frame; default 1"
    )
    parser.add_argument(
        "--min-height", type=int, default=0, metavar="PIXELS", help="leave out lower boxes"
    )
    parser.add_argument(
        "--min-length", type=int, default=5, metavar="N", help="boxes of a track; default 5"
    )
    parser.add_argument(
        "--max-crops",
        type=int,
        metavar="N",
        help="most crops of a track, from its whole time; default all",
    )
    parser.add_argument("--camid", default="0", help="camera of the video; default 0")
    parser.add_argument(
        "--prefix",
        default="",
        metavar="WORD",
        help="what identities begin with, so that those of several videos differ",
    )
    parser.add_argument(
        "--start",
        type=time_option,
        default=0.0,
        metavar="TIME",
        help="when the video starts: seconds since 1970, or 2026-05-01T12:00:00+02:00; default 0, "
        "so that times are seconds since the start",
    )
    return parser.parse_args(argv)


def check_options(args: argparse.Namespace) -> None:
    """Check the options before the video is read.

    Raises:
        ValueError: a value is out of range.
        OSError: the folder cannot be made.
    """
    for name, least in (("every", 1), ("min_height", 0), ("min_length", 1), ("max_crops", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} is {value}; it must be at least {least}.")
    check_labels(args.camid, args.prefix)
    check_output_folder(args.output, "--output")
    check_new_folder(args.output)


def find_boxes(video: Video, args: argparse.Namespace, settings: LinkSettings) -> list[Box]:
    """Find and track the people of a video.

    Raises:
        VideoError: there are none.
    """
    reader = video.frames(every=args.every)
    boxes = link_people(reader, HogPeopleDetector(), settings)
    if reader.remark():
        logger.warning("%s", reader.remark())
    if not boxes:
        raise VideoError(
            f"No people were found in {video.path}: OpenCV's detector needs upright people of 100 "
            f"pixels or more, in {settings.min_length} frames or more (--min-length). "
            "docs/video.md names better detectors."
        )
    return boxes


def given_boxes(args: argparse.Namespace, settings: LinkSettings) -> list[Box]:
    """Read the boxes of another program.

    Raises:
        BoxError: the file is not valid, or no box is left.
    """
    boxes = select_boxes(read_boxes(args.boxes), settings, every=args.every)
    if not boxes:
        raise BoxError(
            f"No boxes of {args.boxes} are left: --min-length is {args.min_length}, --min-height "
            f"{args.min_height}, --every {args.every}."
        )
    return boxes


def main(argv: Sequence[str] | None = None) -> int:
    """Crop the people of a video and print counts."""
    args = parse_args(argv)
    log_to_screen(logging.WARNING)
    check_options(args)
    video = Video(args.video)
    settings = LinkSettings(min_height=args.min_height, min_length=args.min_length)
    boxes = given_boxes(args, settings) if args.boxes else find_boxes(video, args, settings)
    made = write_crop_folder(
        args.output,
        video,
        boxes,
        camid=args.camid,
        prefix=args.prefix,
        max_crops=args.max_crops,
        start=args.start,
    )
    if args.boxes and made.remark:
        logger.warning("%s", made.remark)
    print(f"{args.output}: {made.tracks} tracks, {made.boxes} boxes, {made.crops} crops")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
