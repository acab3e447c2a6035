"""When images were taken, in CSV files such as crops.csv of tools/crop_video.py."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from fastreid.data.datasets.files import listed_path, read_text
from fastreid.utils.command_line.times import parse_time
from fastreid.utils.file_io.paths import absolute_path
from fastreid.utils.file_io.places import is_address


def read_times(file: Path) -> dict[str, float]:
    """Read the times of images.

    Args:
        file: a CSV file, whose first line names the columns path and time. Relative paths start
            from its folder. Times are those of `parse_time`; images without one are left out.

    Returns:
        Absolute path, or address, of an image -> seconds since 1970.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it has no such columns, no times or a wrong one, or two for an image.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no file of times {file}.")
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""))
    missing = [name for name in ("path", "time") if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"The first line of {file} must name the column {missing[0]}.")
    times: dict[str, float] = {}
    for row in reader:
        name, word = ((row[column] or "").strip() for column in ("path", "time"))
        if not (name and word):
            continue
        place = f"line {reader.line_num} of {file}"
        try:
            time = parse_time(word)
        except ValueError as error:
            raise ValueError(f"{error} It is in {place}.") from error
        path = time_key(name if is_address(name) else listed_path(file.parent, name, place=place))
        if times.setdefault(path, time) != time:
            raise ValueError(f"{path} has a second time in {place}.")
    if not times:
        raise ValueError(f"{file} has no times.")
    return times


def time_key(path: str | Path) -> str:
    """Return the path or address by which `read_times` knows an image.

    Args:
        path: its path, relative to the working directory or absolute, or its address.
    """
    return str(path) if is_address(str(path)) else str(absolute_path(path))
