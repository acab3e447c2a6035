"""Plot feature files: rank lists, CMC and ROC curves, a 2-D map of the features, and index.html.

    python tools/visualize.py --features ours=ours.npz baseline=baseline.npz --output logs/look

The files are created by tools/extract_features.py --dataset. The curves compare all files. The
best, the worst and some random queries of every file are drawn. The map shows the features of all
files of the same dimension as the first one. index.html needs no network connection.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from fastreid.evaluation import load_features, under_root, write_pictures
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.compute_dist import METRICS
from fastreid.utils.file_io.output_path import check_output_folder
from fastreid.utils.file_io.paths import expand_home
from fastreid.utils.logger import log_to_screen

# Allowed names in --features; they become part of file names.
_NAME = re.compile(r"[\w.-]+")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="visualize.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--features", nargs="+", required=True, metavar="NAME=FILE.npz")
    parser.add_argument("--output", type=user_path, required=True, metavar="FOLDER")
    parser.add_argument("--metric", choices=METRICS, default="cosine")
    parser.add_argument(
        "--queries", type=int, default=8, help="queries in each rank list; default 8; 0: no lists"
    )
    parser.add_argument("--images", type=int, default=10, help="images per query; default 10")
    parser.add_argument(
        "--root",
        type=user_path,
        metavar="FOLDER",
        help="new path of the folder of the images, if it was moved",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random selections")
    return parser.parse_args(argv)


def named_files(arguments: Sequence[str]) -> dict[str, Path]:
    """Split arguments NAME=FILE; without NAME, the name of the file is used.

    An argument that is the path of a file is not split, because paths can contain equals signs.
    Otherwise the name ends at the first equals sign.

    Args:
        arguments: the arguments of --features.

    Returns:
        Files by name. In the name of a file, characters that are not allowed are replaced by "_".

    Raises:
        ValueError: a name is given twice, has characters that are not allowed, or a path begins
            with the home folder of an unknown user.
    """
    files: dict[str, Path] = {}
    for argument in arguments:
        name, sign, file = argument.partition("=")
        if _path(argument).is_file() or not sign or not _NAME.fullmatch(name):
            file = argument
            name = re.sub(r"[^\w.-]", "_", Path(argument).stem)
            if sign and _path(argument.partition("=")[2]).is_file():
                raise ValueError(
                    f"--features {argument}: a name may have letters, digits, '.', '-' and '_'."
                )
        if not file:
            raise ValueError(f"--features {argument}: a file is missing after the equals sign.")
        if name in files:
            raise ValueError(
                f"--features {argument}: the name {name} is given twice; write NAME=FILE with "
                "another name."
            )
        files[name] = _path(file)
    return files


def _path(word: str) -> Path:
    return expand_home(word, "--features")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the plots and write the page."""
    args = parse_args(argv)
    log_to_screen()
    if args.seed < 0:
        raise ValueError(f"--seed is {args.seed}; it must be at least 0.")
    check_output_folder(args.output, "--output")
    files = named_files(args.features)
    runs = {name: load_features(file) for name, file in files.items()}
    if args.root:
        runs = {
            name: under_root(features, args.root, source=files[name])
            for name, features in runs.items()
        }
    index = write_pictures(
        runs,
        args.output,
        metric=args.metric,
        num_queries=args.queries,
        num_images=args.images,
        seed=args.seed,
    )
    print(f"Open {index.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
