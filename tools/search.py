"""Find the gallery images nearest to each query; print them and draw them into search.png.

    python tools/search.py QUERY.jpg --gallery feats.npz

feats.npz is created by tools/extract_features.py. It contains the config and the path of the
weights, with which the features of the query are computed. `--opts KEY VALUE ...` changes settings,
such as MODEL.WEIGHTS.
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
from fastreid.utils.checkpoint.weights_file import split_key_path
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
        "--output", default="search.png", type=user_path, metavar="FILE.png", help="image to write"
    )
    parser.add_argument(
        "--root",
        type=user_path,
        metavar="FOLDER",
        help="new path of the folder of the gallery's images, if it was moved",
    )
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings")
    words = sys.argv[1:] if argv is None else list(argv)
    first = words.index("--opts") if "--opts" in words else len(words)
    others, pairs = split_pairs(words[first:], is_setting)
    args = parser.parse_args([*words[:first], *others])
    args.opts = [*args.opts, *pairs]
    return args


def search(args: argparse.Namespace) -> tuple[list[RankedQuery], FeatureSet]:
    """Rank the gallery for every query; return the rankings and the gallery.

    Raises:
        ValueError: the dimensions of gallery and model differ, or --top is below 1.
        FileNotFoundError: --root has no images of the gallery, or the weights do not exist.
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
    """Read the configuration in a feature file, and set its device and mode.

    Raises:
        ValueError: the file has no configuration.
    """
    if not features.config:
        raise ValueError(
            f"{args.gallery} has no configuration of a model: create it with "
            "tools/extract_features.py."
        )
    cfg = load_stored_config(features.config, args.opts, source=args.gallery)
    require_weights(cfg, args)
    cfg.freeze()
    set_device_and_mode(cfg)
    return cfg


def require_weights(cfg: CfgNode, args: argparse.Namespace) -> None:
    """Check that the weights named in a feature file exist.

    Raises:
        FileNotFoundError: they do not exist; the message explains how to give another path.
    """
    weights = cfg.MODEL.WEIGHTS
    if weights and "MODEL.WEIGHTS" not in args.opts and not split_key_path(weights)[0].is_file():
        raise FileNotFoundError(
            f"{args.gallery} was made with the weights {weights}, which do not exist. Give their "
            "new path: --opts MODEL.WEIGHTS FILE"
        )


def _check_dimension(found: FeatureSet, gallery: ImageFeatures, file: str) -> None:
    ours, theirs = (np.shape(side.features)[1] for side in (found.images, gallery))
    if ours != theirs:
        raise ValueError(
            f"{file} has features of {theirs} dimensions, those of the model have {ours}: create "
            "the file again with this config and these weights."
        )


def print_queries(queries: list[RankedQuery]) -> None:
    """Print the images found for each query, nearest first."""
    for query in queries:
        print(query.image.path)
        for rank, image in enumerate(query.gallery, start=1):
            labels = f"  id {image.identity}  camera {image.camera}" if image.identity else ""
            print(f"{rank:4d}  {image.distance:.4f}  {image.path}{labels}")


def main(argv: Sequence[str] | None = None) -> int:
    """Search, print and draw."""
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
