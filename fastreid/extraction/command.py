"""Options of the command line that write a folder of parts."""

from __future__ import annotations

import argparse
from typing import Any, Callable

from fastreid.utils.file_io.places import is_address

from .listing import list_images
from .model import ExtractionModel
from .output_folder import UNREADABLE
from .running import ENGINES, Distribution, extract_parts


def add_part_options(group: argparse._ArgumentGroup) -> None:
    """Add the options that distribute an extraction.

    Args:
        group: group of options of a parser, which has the options --images and --output itself.
    """
    group.add_argument(
        "--engine", choices=ENGINES, help="what distributes the work; default processes"
    )
    group.add_argument(
        "--num-gpus",
        type=int,
        metavar="N",
        help="number of processes that have the model; default 1, with Ray one for each GPU",
    )
    group.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="a Ray cluster; default RAY_ADDRESS, or else a Ray on this machine",
    )
    group.add_argument("--part-size", type=int, metavar="N", help="images in a file; default 1024")


def goes_to_folder(args: argparse.Namespace) -> bool:
    """Return whether --output is a folder for parts.

    Args:
        args: the arguments of the command line.

    Raises:
        ValueError: the other options do not fit a folder, or a file.
    """
    output = args.output
    is_folder = is_address(str(output)) or not output.suffix or output.is_dir()
    given = _given(args)
    if is_folder and not args.images:
        raise ValueError("--dataset needs a file: give --output FILE.npz.")
    if not is_folder and given:
        raise ValueError(f"{output} is one file; give --output a folder for several files.")
    if not is_folder and args.images and (is_address(str(args.images)) or args.images.is_file()):
        raise ValueError(f"--images {args.images} is not a folder; this needs --output FOLDER.")
    return is_folder


def write_parts(args: argparse.Namespace, open_model: Callable[[], ExtractionModel]) -> str:
    """Compute features into a folder of parts.

    Args:
        args: the arguments of the command line.
        open_model: gives the network; called when the images are listed.

    Returns:
        A line about the result.
    """
    how = Distribution(**_given(args))
    images = list_images(args.images, args.pattern)
    summary = extract_parts(images, open_model(), args.output, how)
    line = f"{args.output}: {summary.written} images written"
    if summary.existing:
        line += f", {summary.existing} were there"
    if summary.unreadable:
        line += f", {summary.unreadable} cannot be read, see {UNREADABLE}"
    return line


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `add_part_options` that are on the command line."""
    names = {
        "engine": args.engine,
        "num_workers": args.num_gpus,
        "ray_address": args.ray_address,
        "part_size": args.part_size,
    }
    return {name: value for name, value in names.items() if value is not None}
