"""Compute the features of a folder of images or of a test set, and save them with their labels.

    python tools/extract_features.py --config-file F --images FOLDER --output O.npz MODEL.WEIGHTS W
    python tools/extract_features.py --config-file F --dataset NAME --output O.npz MODEL.WEIGHTS W
    python tools/extract_features.py --model M.onnx --images FOLDER --output O.npz
    python tools/extract_features.py --model M.onnx --images FOLDER --output FOLDER --num-gpus 4
    python tools/extract_features.py --model M.onnx --images FOLDER --output FOLDER --engine ray

The .npz file has features (N, D), not normalized; pids, camids and paths (absolute); pid_names and
camid_names (original texts of the labels); num_query (queries come first; 0 for a folder); name;
and the configuration with the path of the weights. A folder is searched recursively. --pattern is a
regular expression with the groups pid and camid that matches file names; images whose names do not
match get the labels -1, unknown. --model takes a file of tools/export.py, which has its
configuration inside; an ONNX file runs without MindSpore. tools/search.py and tools/visualize.py
read the .npz file.

If --output is a folder, Parquet files of --part-size images each are written there, by --num-gpus
processes of this machine or by a Ray cluster. --images may then also be a .csv or .txt file that
lists images, or an address such as s3://bucket/folder. The same command again computes what is
missing. Images that cannot be read are listed in unreadable.csv. docs/extraction.md has the
details.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

import numpy as np

from fastreid.config import CfgNode, load_config, load_stored_config
from fastreid.data import ReidDataLoader, build_image_loader, build_reid_test_loader
from fastreid.data.datasets.files import search_images
from fastreid.data.datasets.image_list import FILE_NAME
from fastreid.deploy import Embedder
from fastreid.evaluation import (
    UNKNOWN,
    FeatureCollector,
    FeatureSet,
    run_on_dataset,
    save_features,
)
from fastreid.extraction import ExtractionModel
from fastreid.extraction.command import add_part_options, goes_to_folder, write_parts
from fastreid.inference import device_of, open_exported
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.file_io.places import path_or_address
from fastreid.utils.labels import LabelNames, describe_labels, normal_form, number_labels
from fastreid.utils.logger import log_to_screen
from fastreid.utils.messages.texts import list_some

if TYPE_CHECKING:
    from fastreid.engine.mindir_model import MindirModel

logger = logging.getLogger("fastreid.extract_features")

# Settings that an exported file has inside.
FIXED_KEYS = ("MODEL.", "INPUT.")
CHANGEABLE_KEYS = ("MODEL.DEVICE",)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="extract_features.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--config-file", type=user_path, metavar="F", help="config of the model")
    model.add_argument(
        "--model", type=user_path, metavar="M.onnx", help="an exported model, .onnx or .mindir"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--images", type=path_or_address, metavar="FOLDER", help="a folder of images"
    )
    source.add_argument("--dataset", metavar="NAME", help="queries and gallery of a test set")
    parser.add_argument(
        "--output",
        type=path_or_address,
        required=True,
        metavar="FILE.npz",
        help="the file to write, or a folder for Parquet files",
    )
    parser.add_argument(
        "--pattern",
        type=file_name_pattern,
        default=FILE_NAME,
        help=f"regular expression for the beginning of file names; default {FILE_NAME.pattern!r}",
    )
    add_part_options(parser.add_argument_group("if --output is a folder"))
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


def require_groups(pattern: re.Pattern) -> None:
    """Check that a pattern gives identity and camera.

    Raises:
        ValueError: it lacks one of the groups.
    """
    if not {"pid", "camid"} <= set(pattern.groupindex):
        raise ValueError(
            f"--pattern {pattern.pattern!r} needs groups named pid and camid, such as "
            f"{FILE_NAME.pattern!r}."
        )


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
    require_groups(pattern)
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


class Extraction(NamedTuple):
    """A model that is ready to extract features.

    Attributes:
        cfg: the whole configuration.
        run: maps a loader, the number of queries and a name to the features.
    """

    cfg: CfgNode
    run: Callable[[ReidDataLoader, int, str], FeatureSet]


def from_config(config_file: Path, opts: list[str]) -> Extraction:
    """Take the model of a configuration and its weights; the model is built when it is run."""
    from fastreid.engine import DefaultPredictor, set_device_and_mode

    cfg = load_config(config_file, opts)
    cfg.freeze()
    set_device_and_mode(cfg)

    def run(loader: ReidDataLoader, num_query: int, name: str) -> FeatureSet:
        return DefaultPredictor(cfg).extract(loader, num_query=num_query, name=name)

    return Extraction(cfg, run)


def open_file(
    model: Path, opts: list[str], *, device: str
) -> tuple[Embedder | MindirModel, CfgNode]:
    """Open a file of tools/export.py, and read the configuration inside it.

    Args:
        model: the file.
        opts: KEY VALUE KEY VALUE ...
        device: where the model runs, as MODEL.DEVICE.

    Raises:
        ValueError: the file is not an exported model, or opts change settings that are inside it.
    """
    fixed = [key for key in opts[::2] if key.startswith(FIXED_KEYS) and key not in CHANGEABLE_KEYS]
    if fixed:
        raise ValueError(
            f"{', '.join(fixed)} cannot be changed: the model and the size of its images are "
            f"inside {model}. Export it again with tools/export.py."
        )
    embed = open_exported(model, device=device, opts=opts)
    cfg = load_stored_config(embed.info.config, opts, source=model)
    cfg.freeze()
    return embed, cfg


def from_file(model: Path, opts: list[str]) -> Extraction:
    """Take a file of tools/export.py; see `open_file`."""
    embed, cfg = open_file(model, opts, device=device_of(opts))

    def run(loader: ReidDataLoader, num_query: int, name: str) -> FeatureSet:
        names = loader.dataset.label_names
        with loader:
            collector = FeatureCollector(num_query, name, label_names=names)
            flip = cfg.TEST.FLIP.ENABLED
            batches = PictureBatches(embed, loader) if isinstance(embed, Embedder) else loader
            features = run_on_dataset(embed, batches, collector, flip_test=flip)
        return features._replace(config=embed.info.config)

    return Extraction(cfg, run)


def model_for_parts(args: argparse.Namespace) -> ExtractionModel:
    """Describe the model of the command line to other processes."""
    if not args.model:
        return ExtractionModel.from_config(args.config_file, args.opts)
    # Each of the other processes sees one device, which has the number 0 there.
    device = device_of(args.opts).partition(":")[0]
    # Opened for its description, and for an error before the processes start.
    tried = "cpu" if device == "auto" else device
    embed, cfg = open_file(args.model, args.opts, device=tried)
    return ExtractionModel.from_file(args.model, cfg, embed.info, device=device)


class PictureBatches:
    """The batches of a loader, read in this process: the loader itself needs MindSpore.

    Args:
        embed: the model, which resizes the images.
        loader: gives the images and the number of them in a batch.
    """

    def __init__(self, embed: Embedder, loader: ReidDataLoader) -> None:
        self.dataset, self.batch_size = loader.dataset, loader.batch_size
        self._embed = embed

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Give the images and their labels in order."""
        data = self.dataset
        for start in range(0, len(data), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield {
                "images": self._embed.prepare(data.paths[rows]),
                "targets": data.targets[rows],
                "camids": data.camids[rows],
                "img_paths": np.array(data.paths[rows]),
            }


def extract(args: argparse.Namespace) -> FeatureSet:
    """Compute the features for the arguments of the command line."""
    check_output_file(args.output, "--output", suffixes=(".npz",))
    if args.images:
        items, names = list_folder(args.images, args.pattern)
    if args.model:
        extraction = from_file(args.model, args.opts)
    else:
        extraction = from_config(args.config_file, args.opts)
    cfg = extraction.cfg
    # The images are checked before the model is built.
    if args.images:
        loader = build_image_loader(cfg, items, label_names=names)
        num_query, name = 0, args.images.resolve().name
    else:
        loader, num_query = build_reid_test_loader(cfg, args.dataset)
        name = args.dataset
    return extraction.run(loader, num_query, name)


def main(argv: Sequence[str] | None = None) -> int:
    """Compute and save the features."""
    args = parse_args(argv)
    log_to_screen()
    if goes_to_folder(args):
        require_groups(args.pattern)
        print(write_parts(args, lambda: model_for_parts(args)))
        return 0
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
