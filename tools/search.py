"""Find the images that look most like a query: prints them, and draws them into search.png.

    python tools/search.py QUERY.jpg --gallery feats.npz

feats.npz comes from tools/extract_features.py and says which config and weights made it; the query
goes through the same model. `--opts KEY VALUE ...` changes settings, such as MODEL.WEIGHTS.
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
    # Before MindSpore is loaded, which takes seconds.
    end_on_ctrl_c()

import numpy as np

from fastreid.config import CfgNode, is_setting, load_stored_config
from fastreid.data import build_image_loader
from fastreid.engine import DefaultPredictor, set_device_and_mode
from fastreid.evaluation import (
    UNKNOWN,
    FeatureSet,
    ImageFeatures,
    load_features,
    look_for_images,
    ranked_images,
    under_root,
)
from fastreid.utils.checkpoint.weights_file import split_place
from fastreid.utils.command_line.command import run_command, split_pairs, user_path
from fastreid.utils.compute_dist import METRICS
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.logger import log_to_screen
from fastreid.utils.visualizer import RankedImage, RankedQuery, draw_queries

_DRAWINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".pdf")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="search.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("queries", nargs="+", metavar="QUERY.jpg", help="images to look for")
    parser.add_argument(
        "--gallery", required=True, type=user_path, metavar="FILE.npz", help="features to search"
    )
    parser.add_argument("--top", type=int, default=10, help="images to show; default 10")
    parser.add_argument("--metric", choices=METRICS, help="default: TEST.METRIC of the config")
    parser.add_argument(
        "--output", default="search.png", type=user_path, metavar="FILE.png", help="the drawing"
    )
    parser.add_argument(
        "--root",
        type=user_path,
        metavar="FOLDER",
        help="where the gallery's images are now, if their folder was moved: that folder",
    )
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings")
    words = sys.argv[1:] if argv is None else list(argv)
    first = words.index("--opts") if "--opts" in words else len(words)
    others, pairs = split_pairs(words[first:], is_setting)
    args = parser.parse_args([*words[:first], *others])
    args.opts = [*args.opts, *pairs]
    return args


def search(args: argparse.Namespace) -> tuple[list[RankedQuery], FeatureSet]:
    """Rank the gallery for every query; give the rankings and the gallery.

    Raises:
        ValueError: the gallery has another dimension than the model, or --top is below 1.
        FileNotFoundError: there are no images of the gallery in --root, or no weights.
    """
    if args.top < 1:
        raise ValueError(f"--top is {args.top}; it must be at least 1.")
    check_output_file(args.output, "--output", suffixes=_DRAWINGS)
    features = load_features(args.gallery)
    if args.root:
        features = under_root(features, args.root, source=args.gallery)
    gallery, cfg = features.images, config_of(features, args)
    items = [(path, UNKNOWN, UNKNOWN) for path in args.queries]
    found = DefaultPredictor(cfg).extract(build_image_loader(cfg, items))
    _check_dimension(found, gallery, args.gallery)
    metric = args.metric or cfg.TEST.METRIC
    ranked = ranked_images(found.images, gallery, count=args.top, metric=metric)
    queries = [
        RankedQuery(RankedImage(path, UNKNOWN, UNKNOWN, 0.0), float("nan"), tuple(images))
        for path, images in zip(args.queries, ranked)
    ]
    return queries, features


def config_of(features: FeatureSet, args: argparse.Namespace) -> CfgNode:
    """Read the configuration in a feature file and set the device and mode that it asks for.

    Raises:
        ValueError: the file has none.
    """
    if not features.config:
        raise ValueError(
            f"{args.gallery} does not say which model made it: make it with "
            "tools/extract_features.py."
        )
    cfg = load_stored_config(features.config, args.opts, source=args.gallery)
    require_weights(cfg, args)
    cfg.freeze()
    set_device_and_mode(cfg)
    return cfg


def require_weights(cfg: CfgNode, args: argparse.Namespace) -> None:
    """Check that the weights are where the feature file says.

    Raises:
        FileNotFoundError: they are not; the message says how to name another place.
    """
    weights = cfg.MODEL.WEIGHTS
    if weights and "MODEL.WEIGHTS" not in args.opts and not split_place(weights)[0].is_file():
        raise FileNotFoundError(
            f"{args.gallery} was made with the weights {weights}, which are not there. Name the "
            "place where they are now: --opts MODEL.WEIGHTS FILE"
        )


def _check_dimension(found: FeatureSet, gallery: ImageFeatures, file: str) -> None:
    ours, theirs = (np.shape(side.features)[1] for side in (found.images, gallery))
    if ours != theirs:
        raise ValueError(
            f"{file} has features of {theirs} dimensions, the model gives {ours}: make the file "
            "with this config and these weights."
        )


def print_queries(queries: list[RankedQuery]) -> None:
    """Print the images that were found, nearest first."""
    for query in queries:
        print(query.image.path)
        for place, image in enumerate(query.gallery, start=1):
            who = f"  id {image.identity}  camera {image.camera}" if image.identity else ""
            print(f"{place:4d}  {image.distance:.4f}  {image.path}{who}")


def main(argv: Sequence[str] | None = None) -> int:
    """Search."""
    args = parse_args(argv)
    log_to_screen(logging.WARNING)
    queries, gallery = search(args)
    print_queries(queries)
    queries = look_for_images(queries, gallery, source=f"{args.gallery}", with_queries=False)
    title = f"Nearest images of {Path(args.gallery).name}"
    draw_queries(queries, args.output, title=title, legend="Nearest first")
    print(f"Drawn in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
