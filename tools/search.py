"""Find what is most similar to images, or to the people of a video; print it and draw it.

    python tools/search.py QUERY.jpg --gallery feats.npz
    python tools/search.py --image A.jpg B.jpg --model model.onnx --gallery people
    python tools/search.py --video V.mp4 --boxes tracks.csv --model model.onnx --gallery people

The first form looks for each image in a file of tools/extract_features.py. It contains the config
and the path of the weights, with which the features of the query are computed. `--opts KEY VALUE
...` changes settings, such as MODEL.WEIGHTS.

The other forms search a gallery of tools/gallery.py. The images after --image show one person, and
their features are averaged. Of a video, each track in the file of boxes is a person, and the
features of its best crops are averaged. A line of that file has frame (1 for the first), id, left,
top, width, height and score, with positions from 0, as in tracks.csv of tools/crop_video.py.
--model takes a file of tools/export.py, of which an ONNX file runs without MindSpore, or a
checkpoint, whose configuration --config-file names.
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
from fastreid.evaluation import (
    UNKNOWN,
    FeatureSet,
    ImageFeatures,
    load_features,
    look_for_images,
    ranked_images,
    under_root,
)
from fastreid.gallery import is_gallery, open_gallery, require_model
from fastreid.gallery.command import add_filter_options, describe_matches, filter_of
from fastreid.inference import open_picture_model
from fastreid.utils.command_line.command import run_command, split_pairs, user_path
from fastreid.utils.compute_dist import METRICS
from fastreid.utils.file_io.images import read_image
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.logger import log_to_screen
from fastreid.utils.visualizer import RankedImage, RankedQuery, draw_queries
from fastreid.video import (
    FoundPerson,
    Video,
    draw_sheet,
    find_people,
    people_of_video,
    person_of_images,
    read_boxes,
    write_results,
)
from fastreid.video.results import SUFFIXES

_DRAWINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".pdf")
_CROPS = 8
# Options that only one of the two kinds of search takes, by their names in the arguments.
_OF_FILES = ("metric", "root")
_OF_VIDEOS = ("boxes", "crops")
_OF_FILTERS = ("pid", "camid", "not_camid", "since", "before")
_OF_GALLERIES = ("model", "config_file", "results", *_OF_FILTERS, "all_images")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="search.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("queries", nargs="*", metavar="QUERY.jpg", help="images to look for")
    parser.add_argument(
        "--gallery", required=True, metavar="G", help="feature file, or a gallery of gallery.py"
    )
    parser.add_argument("--top", type=int, default=10, help="results for a query; default 10")
    parser.add_argument(
        "--output", default="search.png", type=user_path, metavar="FILE.png", help="image to write"
    )
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings")
    of_files = parser.add_argument_group("search of a feature file")
    of_files.add_argument("--metric", choices=METRICS, help="default: TEST.METRIC of the config")
    root_help = "new path of the folder of the gallery's images, if it was moved"
    of_files.add_argument("--root", type=user_path, metavar="FOLDER", help=root_help)
    _add_gallery_options(parser)
    words = sys.argv[1:] if argv is None else list(argv)
    first = words.index("--opts") if "--opts" in words else len(words)
    others, pairs = split_pairs(words[first:], is_setting)
    args = parser.parse_args([*words[:first], *others])
    args.opts = [*args.opts, *pairs]
    given = [name for name in ("queries", "image", "video") if getattr(args, name)]
    if len(given) != 1:
        parser.error("give one of: QUERY.jpg ..., --image A.jpg ..., --video FILE")
    return args


def _add_gallery_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("search of a gallery")
    group.add_argument("--image", nargs="+", metavar="A.jpg", help="images of one person")
    group.add_argument("--video", type=user_path, metavar="FILE", help="a video of people")
    group.add_argument("--boxes", type=user_path, metavar="TRACKS.csv", help="where they are")
    group.add_argument("--crops", type=int, metavar="N", help="best crops of a track; default 8")
    group.add_argument(
        "--model", type=user_path, metavar="M.onnx", help="an exported model, or a checkpoint"
    )
    group.add_argument("--config-file", type=user_path, metavar="F", help="that of a checkpoint")
    group.add_argument("--results", type=user_path, metavar="FILE.csv", help="a .csv or .json file")
    all_help = "list all images of an identity, not only the most similar one"
    group.add_argument("--all-images", action="store_true", help=all_help)
    add_filter_options(parser)


def refuse(args: argparse.Namespace, names: Sequence[str], reason: str) -> None:
    """Refuse options that have no effect.

    Raises:
        ValueError: one of them is given.
    """
    # The time 0 is given, too.
    values = {name: getattr(args, name) for name in names}
    given = [
        f"--{name.replace('_', '-')}"
        for name, value in values.items()
        if value is not None and value is not False
    ]
    if given:
        raise ValueError(f"{', '.join(given)} {reason}")


def check_gallery_options(args: argparse.Namespace) -> None:
    """Check the options of a search of a gallery, before anything is computed.

    Raises:
        ValueError: options do not fit together, or have wrong values.
    """
    refuse(args, _OF_FILES, "is for searches of feature files.")
    if not args.video:
        refuse(args, _OF_VIDEOS, "needs --video.")
    elif not args.boxes:
        raise ValueError("--video needs --boxes, such as tracks.csv of tools/crop_video.py.")
    for name in ("top", "crops"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name} is {value}; it must be at least 1.")
    check_output_file(args.output, "--output", suffixes=_DRAWINGS)
    if args.results:
        check_output_file(args.results, "--results", suffixes=SUFFIXES)
    if args.gallery.lower().endswith(".npz"):
        raise ValueError(
            f"{args.gallery} is a feature file; make a gallery of it: python tools/gallery.py add "
            f"NAME {args.gallery}"
        )


def search_gallery(args: argparse.Namespace) -> list[FoundPerson]:
    """Look for the person of images, or for those of a video."""
    check_gallery_options(args)
    with open_gallery(args.gallery) as gallery:
        # The model is loaded last, because that takes longest.
        video = Video(args.video) if args.video else None
        boxes = read_boxes(args.boxes) if video else []
        for name in args.image or ():
            read_image(name)
        model = open_picture_model(args.model, args.config_file, args.opts)
        require_model(gallery, args.gallery, model=model.weights_sha256, source=model.source)
        if video:
            people = people_of_video(video, boxes, model.embed, count=args.crops or _CROPS)
        else:
            people = [person_of_images(args.image, model.embed)]
        return find_people(
            gallery, people, top=args.top, only=filter_of(args), all_images=args.all_images
        )


def report_people(people: Sequence[FoundPerson], args: argparse.Namespace) -> None:
    """Print, draw and write what was found."""
    for person, matches in people:
        print(describe_matches(person.name, matches))
    title = Path(args.video or args.image[0]).name
    draw_sheet(people, args.output, title=f"{title} in {args.gallery}")
    print(f"Drawn in {args.output}")
    if args.results:
        write_results(args.results, people)
        print(f"Written to {args.results}")


def search(args: argparse.Namespace) -> tuple[list[RankedQuery], FeatureSet]:
    """Rank the gallery for every query; return the rankings and the gallery.

    Raises:
        ValueError: the dimensions of gallery and model differ, or --top is below 1.
        FileNotFoundError: --root has no images of the gallery, or the weights do not exist.
    """
    needed = "needs --image or --video, and a gallery of tools/gallery.py."
    refuse(args, (*_OF_VIDEOS, *_OF_GALLERIES), needed)
    if args.top < 1:
        raise ValueError(f"--top is {args.top}; it must be at least 1.")
    check_output_file(args.output, "--output", suffixes=_DRAWINGS)
    features = load_features(args.gallery)
    if args.root:
        features = under_root(features, args.root, source=args.gallery)
    gallery, cfg = features.images, config_of(features, args)
    # MindSpore is imported when it is needed.
    from fastreid.engine import DefaultPredictor

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
    from fastreid.engine import set_device_and_mode

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
    from fastreid.utils.checkpoint.weights_file import split_key_path

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
    if args.image or args.video:
        report_people(search_gallery(args), args)
        return 0
    if is_gallery(args.gallery):
        raise ValueError(
            f"{args.gallery} is a gallery of tools/gallery.py: give --image and --model."
        )
    args.gallery = user_path(args.gallery)
    queries, gallery = search(args)
    print_queries(queries)
    queries = look_for_images(queries, gallery, source=f"{args.gallery}", with_queries=False)
    title = f"Nearest images of {Path(args.gallery).name}"
    draw_queries(queries, args.output, title=title, legend="Nearest first")
    print(f"Drawn in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
