"""Find the images that look most like a query: prints them, and draws them into search.png.

    python tools/search.py QUERY.jpg --gallery feats.npz

feats.npz comes from tools/extract_features.py and says which config and weights made it; the query
goes through the same model. `--opts KEY VALUE ...` changes settings, such as MODEL.WEIGHTS.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import yaml

from fastreid.config import CfgNode, get_cfg
from fastreid.data import build_image_loader
from fastreid.engine import DefaultPredictor, set_device_and_mode
from fastreid.evaluation import UNKNOWN, FeatureSet, ImageFeatures, load_features, ranked_images
from fastreid.utils.compute_dist import METRICS
from fastreid.utils.visualizer import RankedImage, RankedQuery, draw_queries


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("queries", nargs="+", metavar="QUERY.jpg", help="images to look for")
    parser.add_argument("--gallery", required=True, metavar="FILE.npz", help="features to search")
    parser.add_argument("--top", type=int, default=10, help="images to show; default 10")
    parser.add_argument("--metric", choices=METRICS, help="default: TEST.METRIC of the config")
    parser.add_argument("--output", default="search.png", metavar="FILE.png", help="the drawing")
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings")
    return parser.parse_args()


def search(args: argparse.Namespace) -> list[RankedQuery]:
    """Rank the gallery for every query.

    Raises:
        ValueError: the gallery has another dimension than the model, or --top is below 1.
    """
    if args.top < 1:
        raise ValueError(f"--top is {args.top}; it must be at least 1.")
    features = load_features(args.gallery)
    gallery, cfg = features.images, config_of(features, args)
    items = [(path, UNKNOWN, UNKNOWN) for path in args.queries]
    found = DefaultPredictor(cfg).extract(build_image_loader(cfg, items))
    _check_dimension(found, gallery, args.gallery)
    metric = args.metric or cfg.TEST.METRIC
    ranked = ranked_images(found.images, gallery, count=args.top, metric=metric)
    return [
        RankedQuery(RankedImage(path, UNKNOWN, UNKNOWN, 0.0), float("nan"), tuple(images))
        for path, images in zip(args.queries, ranked)
    ]


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
    cfg = get_cfg()
    cfg.merge_from_other_cfg(CfgNode(yaml.safe_load(features.config)))
    cfg.merge_from_list(args.opts)
    cfg.freeze()
    set_device_and_mode(cfg)
    return cfg


def _check_dimension(found: FeatureSet, gallery: ImageFeatures, file: str) -> None:
    ours, theirs = (np.shape(side.features)[1] for side in (found.images, gallery))
    if ours != theirs:
        raise ValueError(
            f"{file} has features of {theirs} dimensions, the model gives {ours}: make the file "
            "with this config and these weights."
        )


def main() -> int:
    """Search; a mistake of the user ends in one line."""
    args = parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        queries = search(args)
        title = f"Nearest images of {Path(args.gallery).name}"
        draw_queries(queries, args.output, title=title, legend="Nearest first")
    except (OSError, ValueError, KeyError) as error:
        print(f"search.py: {error}", file=sys.stderr)
        return 1
    for query in queries:
        print(query.image.path)
        for place, image in enumerate(query.gallery, start=1):
            who = "" if image.pid == UNKNOWN else f"  id {image.pid}  camera {image.camid}"
            print(f"{place:4d}  {image.distance:.4f}  {image.path}{who}")
    print(f"Drawn in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
