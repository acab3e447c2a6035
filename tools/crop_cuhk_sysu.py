"""Crop the persons of CUHK-SYSU from the frames of the original release.

RELEASE is the unpacked person search data set, with the folders Image/SSM and annotation. The tool
writes cuhk_sysu/cropped_images, the training set, and cuhksysu4reid, the test set.

    python tools/crop_cuhk_sysu.py downloads/CUHK-SYSU --root datasets
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from fastreid.data.datasets.preparation.cuhk_sysu_crops import crop_release
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_folder


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="crop_cuhk_sysu.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("release", type=user_path, help="folder with Image/SSM and annotation")
    parser.add_argument(
        "--root",
        default="datasets",
        type=user_path,
        help="folder of the data sets (default: datasets)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Crop the persons and print counts."""
    args = parse_arguments(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    check_output_folder(args.root, "--root")
    summary = crop_release(args.release, args.root)
    for folder, counts in summary.counts.items():
        print(f"{folder}: {counts.ids} identities, {counts.images} images")
    if summary.skipped:
        print(f"Skipped, outside their frame: {', '.join(summary.skipped)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
