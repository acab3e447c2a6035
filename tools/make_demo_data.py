"""Create demo data: small re-identification data sets with rendered pedestrians.

    python tools/make_demo_data.py --root datasets/demo --seed 0

--datasets chooses other data sets by their registered names; "--datasets all" writes a tiny version
of every layout that can be read, 10 training and 10 test persons each unless the options say
otherwise. Also the data sets of vehicles show pedestrians.

By default, the data sets are Market1501, MSMT17, CUHK03 and CUHK-SYSU, in the layouts of the real
ones: file names, list files and .mat files. Set FASTREID_DATASETS=datasets/demo to use them.

Simple features give scores above chance and far below 100 %. The columns are the mAP of raw 16x32
thumbnails with cosine distances, of HSV histograms in six bands, and of a random ranking, with the
default sizes and seed 0:

    Market1501   14.6 %   16.4 %   5.6 %
    MSMT17       18.7 %   16.9 %   6.1 %
    CUHK03       21.6 %   14.1 %   4.3 %
    cuhkSYSU     19.9 %   14.3 %   5.5 %

tools/demo.py trains a tiny ACL network on the other three and tests it on CUHK03, which is unseen:
the mAP is 5 % to 7 % before training and 60 % to 80 % after it, depending on seed and processor.

All four take about half a minute on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from demo_data import ALL_DATASETS, DEMO_DATASETS, SMALL, Sizes, make_demo_data
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_folder


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    sizes = Sizes()
    parser = argparse.ArgumentParser(
        prog="make_demo_data.py",
        description="Write four small re-identification data sets with rendered pedestrians, in "
        "the layouts of the real ones.",
        epilog="Example: python tools/make_demo_data.py --root datasets/demo --seed 0",
    )
    parser.add_argument(
        "--root",
        default="datasets/demo",
        type=user_path,
        help="folder for the data sets (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same files (default: 0)"
    )
    parser.add_argument(
        "--train-ids", type=int, help=f"training identities per set (default: {sizes.train_ids})"
    )
    parser.add_argument(
        "--test-ids", type=int, help=f"test identities per set (default: {sizes.test_ids})"
    )
    parser.add_argument(
        "--images", type=int, help=f"images per identity, 4 to 10 (default: {sizes.images})"
    )
    parser.add_argument(
        "--datasets",
        nargs="+",
        metavar="NAME",
        default=list(DEMO_DATASETS),
        help="data sets to create; all: every data set that can be read. Those that are not "
        f"among the default four ({', '.join(DEMO_DATASETS)}) have {SMALL.train_ids} training and "
        f"{SMALL.test_ids} test identities with {SMALL.images} images, unless a size is given",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace demo data that was created with other settings; other folders are kept",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Create the data sets and print their folders."""
    args = parse_arguments(argv)
    start = time.perf_counter()
    check_output_folder(args.root, "--root")
    given = {"train_ids": args.train_ids, "test_ids": args.test_ids, "images": args.images}
    given = {key: value for key, value in given.items() if value is not None}
    made = make_demo_data(
        args.root,
        seed=args.seed,
        sizes=Sizes(**given) if given else None,
        names=ALL_DATASETS if args.datasets == ["all"] else args.datasets,
        overwrite=args.overwrite,
    )
    for entry in made:
        state = "already there" if entry.kept else "written"
        sizes = entry.sizes
        print(
            f"{entry.folder}: {state}; {sizes.train_ids} training and {sizes.test_ids} test "
            f"identities, {sizes.images} images each"
        )
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s. Use them with FASTREID_DATASETS={args.root}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
