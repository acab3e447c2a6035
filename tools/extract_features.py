"""Compute the features of a folder of images or of a test set, and save them with their labels.

    python tools/extract_features.py --config-file F --images FOLDER --output O.npz MODEL.WEIGHTS W
    python tools/extract_features.py --config-file F --dataset NAME --output O.npz MODEL.WEIGHTS W

The .npz file has features (N, D), not normalized; pids, camids and paths (absolute); pid_names and
camid_names (original texts of the labels); num_query (queries come first; 0 for a folder); name;
and the configuration with the path of the weights. A folder is searched recursively. --pattern is a
regular expression with the groups pid and camid that matches file names; images whose names do not
match get the labels -1, unknown. tools/search.py and tools/visualize.py read the file.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

import numpy as np

from fastreid.config import CfgNode, load_config
from fastreid.data import build_image_loader, build_reid_test_loader
from fastreid.data.datasets.files import search_images
from fastreid.data.datasets.image_list import FILE_NAME
from fastreid.engine import DefaultPredictor, set_device_and_mode
from fastreid.evaluation import UNKNOWN, FeatureSet, save_features
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.labels import LabelNames, describe_labels, normal_form, number_labels
from fastreid.utils.logger import log_to_screen
from fastreid.utils.messages.texts import list_some

logger = logging.getLogger("fastreid.extract_features")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="extract_features.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config-file", required=True, type=user_path, metavar="F", help="config of the model"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=user_path, metavar="FOLDER", help="a folder of images")
    source.add_argument("--dataset", metavar="NAME", help="queries and gallery of a test set")
    parser.add_argument("--output", type=user_path, required=True, metavar="FILE.npz")
    parser.add_argument(
        "--pattern",
        type=file_name_pattern,
        default=FILE_NAME,
        help=f"regular expression for the beginning of file names; default {FILE_NAME.pattern!r}",
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, MODEL.WEIGHTS")
    return parser.parse_args(argv)


def file_name_pattern(word: str) -> re.Pattern:
    """Compile a regular expression from the command line; for ``type=`` of argparse."""
    try:
        return re.compile(word)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a regular expression: {error}"
        ) from error


def read_config(config_file: str, opts: list[str]) -> CfgNode:
    """Read a configuration, and set its device and mode."""
    cfg = load_config(config_file, opts)
    cfg.freeze()
    set_device_and_mode(cfg)
    return cfg


def list_folder(folder: Path, pattern: re.Pattern) -> tuple[list[tuple[str, int, int]], LabelNames]:
    """List the images in a folder with the identity and camera in their names.

    Skipped files, such as those of other kinds, are logged.

    Returns:
        (path, identity, camera) of each image, with -1 for unknown labels, and the original texts
        of the labels.

    Raises:
        NotADirectoryError: the folder does not exist.
        ValueError: the folder has no images, the pattern lacks a group, or a number is too large.
    """
    if not {"pid", "camid"} <= set(pattern.groupindex):
        raise ValueError(
            f"--pattern {pattern.pattern!r} needs groups named pid and camid, such as "
            f"{FILE_NAME.pattern!r}."
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"--images {folder} is not a folder.")
    found = search_images(folder)
    notes = found.describe(is_quiet=bool(found.images))
    if not found.images:
        raise ValueError(f"The folder {folder} has no images. {notes}".strip())
    if notes:
        logger.info("%s", notes)
    written = [_written_labels(path, pattern) for path in found.images]
    unknown = [path.name for path, (pid, _) in zip(found.images, written) if not pid]
    if unknown:
        logger.info(
            "%d images have names that --pattern does not match (%s): identity and camera %d",
            *(len(unknown), list_some(unknown), UNKNOWN),
        )
    pids, camids = zip(*written)
    pid_of = {"": UNKNOWN, **number_labels(pid for pid in pids if pid)}
    camid_of = {"": UNKNOWN, **number_labels(camid for camid in camids if camid)}
    for what, texts in (("identities", pids), ("cameras", camids)):
        for remark in describe_labels({text for text in texts if text}, what):
            logger.warning("%s: %s", folder, remark)
    items = [(str(path), pid_of[p], camid_of[c]) for path, (p, c) in zip(found.images, written)]
    return items, LabelNames(np.array(pids, np.str_), np.array(camids, np.str_))


def _written_labels(path: Path, pattern: re.Pattern) -> tuple[str, str]:
    """Return identity and camera in a file name; both are "" unless the name has both."""
    match = pattern.match(path.name)
    texts = [(match[name] or "").strip() for name in ("pid", "camid")] if match else ["", ""]
    if not all(texts):
        return "", ""
    for text in texts:
        try:
            normal_form(text)
        except ValueError as error:
            raise ValueError(f"The name of {path}: {error}") from error
    return texts[0], texts[1]


def extract(args: argparse.Namespace) -> FeatureSet:
    """Compute the features for the arguments of the command line."""
    check_output_file(args.output, "--output", suffixes=(".npz",))
    if args.images:
        items, names = list_folder(args.images, args.pattern)
    cfg = read_config(args.config_file, args.opts)
    # The images are checked before the model is built.
    if args.images:
        loader = build_image_loader(cfg, items, label_names=names)
        num_query, name = 0, args.images.resolve().name
    else:
        loader, num_query = build_reid_test_loader(cfg, args.dataset)
        name = args.dataset
    predictor = DefaultPredictor(cfg)
    return predictor.extract(loader, num_query=num_query, name=name)


def main(argv: Sequence[str] | None = None) -> int:
    """Compute and save the features."""
    args = parse_args(argv)
    log_to_screen()
    features = extract(args)
    save_features(args.output, features)
    known = int((features.images.pids != UNKNOWN).sum())
    count, dimension = features.images.features.shape
    print(
        f"{args.output}: {count} images, {features.num_query} of them queries, {known} with a "
        f"known identity, {dimension} dimensions"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
