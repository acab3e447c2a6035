"""Save the features of a folder of images, or of a test set, with identities and cameras.

    python tools/extract_features.py --config-file F --images FOLDER --output O.npz MODEL.WEIGHTS W
    python tools/extract_features.py --config-file F --dataset NAME --output O.npz MODEL.WEIGHTS W

The .npz file has features (N, D), not normalized, pids, camids, paths, num_query (queries come
first; 0 for a folder), name and the configuration, which names the weights. In a folder, which is
searched to any depth, --pattern finds identity and camera in the file names; images whose names do
not fit get -1, unknown. tools/search.py and tools/visualize.py read the file.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.config import CfgNode, get_cfg
from fastreid.data import build_image_loader, build_reid_test_loader
from fastreid.data.datasets.image_list import FILE_NAME, find_images
from fastreid.engine import DefaultPredictor, set_device_and_mode
from fastreid.evaluation import UNKNOWN, FeatureSet, save_features


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="F", help="of the model")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=Path, metavar="FOLDER", help="any folder of images")
    source.add_argument("--dataset", metavar="NAME", help="queries and gallery of a test set")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument(
        "--pattern",
        type=re.compile,
        default=FILE_NAME,
        help=f"what file names begin with; default {FILE_NAME.pattern!r}",
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, MODEL.WEIGHTS")
    return parser.parse_args()


def read_config(config_file: str, opts: list[str]) -> CfgNode:
    """Read a configuration and set the device and mode that it asks for."""
    cfg = get_cfg()
    cfg.merge_from_file(config_file)
    cfg.merge_from_list(opts)
    cfg.freeze()
    set_device_and_mode(cfg)
    return cfg


def list_folder(folder: Path, pattern: re.Pattern) -> list[tuple[str, int, int]]:
    """Find images with identity and camera, -1 where the name does not say it.

    Raises:
        ValueError: the folder has no images, or the pattern lacks a group.
    """
    if not {"pid", "camid"} <= set(pattern.groupindex):
        raise ValueError(
            f"--pattern {pattern.pattern!r} needs groups named pid and camid, such as "
            f"{FILE_NAME.pattern!r}."
        )
    items = []
    for path in find_images(folder):
        match = pattern.match(path.name)
        pid, camid = (int(match["pid"]), int(match["camid"])) if match else (UNKNOWN, UNKNOWN)
        items.append((str(path), pid, camid))
    if not items:
        raise ValueError(f"The folder {folder} has no images.")
    return items


def extract(args: argparse.Namespace) -> FeatureSet:
    """Compute the features that the command line asks for."""
    if args.images:
        items = list_folder(args.images, args.pattern)
    cfg = read_config(args.config_file, args.opts)
    predictor = DefaultPredictor(cfg)
    if args.images:
        loader, num_query, name = build_image_loader(cfg, items), 0, args.images.resolve().name
    else:
        loader, num_query = build_reid_test_loader(cfg, args.dataset)
        name = args.dataset
    return predictor.extract(loader, num_query=num_query, name=name)


def main() -> int:
    """Extract and save; a mistake of the user ends in one line."""
    args = parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        features = extract(args)
        save_features(args.output, features)
    except (OSError, ValueError, KeyError) as error:
        print(f"extract_features.py: {error}", file=sys.stderr)
        return 1
    known = int((features.images.pids != UNKNOWN).sum())
    count, dimension = features.images.features.shape
    print(
        f"{args.output}: {count} images, {features.num_query} of them queries, {known} with a "
        f"known identity, {dimension} dimensions"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
