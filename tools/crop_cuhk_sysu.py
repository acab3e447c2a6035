"""Cut CUHK-SYSU for re-identification: `python tools/crop_cuhk_sysu.py RELEASE [--root datasets]`.

RELEASE is the unpacked person search data set, with the folders Image/SSM and annotation. Writes
cuhk_sysu/cropped_images, which training reads, and cuhksysu4reid, which the evaluation reads.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.data.datasets.cuhk_sysu_crops import crop_release


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Cut the persons of CUHK-SYSU out of the frames of the original release."
    )
    parser.add_argument("release", help="folder with Image/SSM and annotation")
    parser.add_argument(
        "--root", default="datasets", help="folder of the data sets (default: datasets)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Cut and count; a mistake of the user ends in one line."""
    args = parse_arguments(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        summary = crop_release(args.release, args.root)
    except (OSError, ValueError) as error:
        print(f"crop_cuhk_sysu.py: {error}", file=sys.stderr)
        return 1
    for folder, counts in summary.counts.items():
        print(f"{folder}: {counts.ids} identities, {counts.images} images")
    if summary.skipped:
        print(f"Left out, outside their frame: {', '.join(summary.skipped)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
