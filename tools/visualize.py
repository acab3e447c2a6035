"""Look at features: rank lists, CMC and ROC curves, a map of all images, and index.html.

    python tools/visualize.py --features ours=ours.npz baseline=baseline.npz --output logs/look

Files come from tools/extract_features.py --dataset. Several of one test set are compared in the
curves; of every file the best, the worst and random queries are drawn; the map shows the images of
all files that have one dimension. Open index.html; nothing in it comes from elsewhere.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.evaluation import load_features, write_pictures
from fastreid.utils.compute_dist import METRICS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", nargs="+", required=True, metavar="NAME=FILE.npz")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--metric", choices=METRICS, default="cosine")
    parser.add_argument("--queries", type=int, default=8, help="in each sheet; default 8")
    parser.add_argument("--images", type=int, default=10, help="for each query; default 10")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random")
    return parser.parse_args()


def named_files(arguments: list[str]) -> dict[str, Path]:
    """Split NAME=FILE; a file alone is named after itself.

    Raises:
        ValueError: a name is given twice or cannot be part of a file name.
    """
    files = {}
    for argument in arguments:
        name, _, file = argument.rpartition("=")
        name = name or Path(file).stem
        if name in files or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ValueError(
                f"--features {argument}: each name must be given once, of letters, digits, - and _."
            )
        files[name] = Path(file)
    return files


def main() -> int:
    """Draw everything; a mistake of the user ends in one line."""
    args = parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        runs = {name: load_features(file) for name, file in named_files(args.features).items()}
        index = write_pictures(
            runs,
            args.output,
            metric=args.metric,
            num_queries=args.queries,
            num_images=args.images,
            seed=args.seed,
        )
    except (OSError, ValueError) as error:
        print(f"visualize.py: {error}", file=sys.stderr)
        return 1
    print(f"Open {index.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
