"""Keep features of known images in a gallery, and search it.

    python tools/gallery.py add people feats.npz
    python tools/gallery.py add people FOLDER_OF_PARTS
    python tools/gallery.py add people --images FOLDER --model model.onnx
    python tools/gallery.py search people QUERY.jpg --model model.onnx --top 5 --not-camid 3
    python tools/gallery.py stats people
    python tools/gallery.py export people people.csv
    python tools/gallery.py remove people a.jpg b.jpg

A gallery is a folder, which `add` makes; faiss:FOLDER searches it by FAISS; FILE.db is a file of
Milvus Lite, http://HOST:19530 a Milvus server. feats.npz, or a folder of Parquet files, is made by
tools/extract_features.py, model.onnx by tools/export.py. An image's name in the gallery is its
path; `add --images` reads identity and camera from file names such as 0002_c1s1_000451_03.jpg. Of a
folder of Parquet files, the images that are in the gallery already are left out, so it may be added
again when it has grown. `add --times FILE.csv` also keeps when images were taken, for the options
--since and --before of searches.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.gallery import (
    Description,
    Entry,
    Gallery,
    mean_direction,
    open_gallery,
    require_model,
)
from fastreid.gallery.command import add_filter_options, describe_matches, filter_of
from fastreid.inference import open_picture_model
from fastreid.utils.atomic_file import replacing
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.file_io.places import is_address, path_or_address
from fastreid.utils.labels import FILE_NAME, UNKNOWN
from fastreid.utils.logger import log_to_screen

logger = logging.getLogger("fastreid.gallery_tool")

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="gallery.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add images; the gallery is made if there is none")
    add.add_argument("gallery")
    add.add_argument(
        "features",
        nargs="*",
        type=path_or_address,
        metavar="FEATS",
        help="a feature file (.npz), or a folder of Parquet files; also an address (s3://...)",
    )
    add.add_argument("--images", type=user_path, metavar="FOLDER", help="images to add")
    add.add_argument("--model", type=user_path, metavar="M.onnx", help="model for --images")
    add.add_argument(
        "--times",
        type=user_path,
        metavar="FILE.csv",
        help="when the images were taken: columns path and time, such as crops.csv of "
        "tools/crop_video.py --start TIME",
    )
    add.add_argument(
        "--pattern",
        type=file_name_pattern,
        default=FILE_NAME,
        help="regular expression with the groups pid and camid for the beginning of the names of "
        f"--images; default {FILE_NAME.pattern!r}. Other images have no identity and camera",
    )
    search = commands.add_parser("search", help="print the images most similar to each query")
    search.add_argument("gallery")
    search.add_argument("queries", nargs="+", metavar="QUERY.jpg")
    search.add_argument("--model", type=user_path, required=True, metavar="M.onnx")
    search.add_argument("--top", type=int, default=10, help="images for a query; default 10")
    search.add_argument(
        "--average", action="store_true", help="the queries show one person: average their features"
    )
    add_filter_options(search)
    stats = commands.add_parser("stats", help="print what the gallery holds")
    stats.add_argument("gallery")
    export = commands.add_parser("export", help="write the entries as a CSV file")
    export.add_argument("gallery")
    export.add_argument("output", type=user_path, metavar="FILE.csv")
    remove = commands.add_parser("remove", help="remove images by name")
    remove.add_argument("gallery")
    remove.add_argument("keys", nargs="+", metavar="NAME")
    return parser.parse_args(argv)


def file_name_pattern(word: str) -> re.Pattern:
    """Compile a regular expression from the command line; for ``type=`` of argparse."""
    try:
        pattern = re.compile(word)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a regular expression: {error}"
        ) from error
    if not {"pid", "camid"} <= set(pattern.groupindex):
        raise argparse.ArgumentTypeError(
            f"{word!r} needs groups named pid and camid, such as {FILE_NAME.pattern!r}"
        )
    return pattern


def add_images(args: argparse.Namespace) -> None:
    """Add feature files, or the images of a folder."""
    if bool(args.features) == bool(args.images):
        raise ValueError("Give feature files (.npz), or a folder by --images.")
    times = _Times(args.times)
    if args.images:
        _add_folder(args.gallery, args.images, args.model, args.pattern, times)
    for path in args.features:
        if is_address(str(path)) or path.is_dir():
            _add_parts(args.gallery, path, times)
        else:
            _add_file(args.gallery, path, times)
    times.warn()


class _Times:
    """When images were taken; counts those that are not in the file.

    Args:
        file: a file of `read_times`; None: no time is known.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._times: Mapping[str, float] = {}
        self._unknown = 0
        if file is not None:
            # Reading it needs packages that the other commands do not.
            from fastreid.extraction.image_times import read_times

            self._times = read_times(file)

    def of(self, path: str) -> float | None:
        """Return the time of an image; None: not known."""
        if self._file is None:
            return None
        from fastreid.extraction.image_times import time_key

        time = self._times.get(time_key(path))
        self._unknown += time is None
        return time

    def warn(self) -> None:
        """Say how many images have no time in the file."""
        if self._unknown:
            logger.warning("%d added images have no time in %s", self._unknown, self._file)


def _add_file(name: str, path: Path, times: _Times) -> None:
    # Reading a feature file needs packages that the other commands do not.
    from fastreid.evaluation.features.feature_file import load_features

    images = load_features(path).images
    names = [images.pid_names, images.camid_names]
    numbers = [images.pids, images.camids]
    pids, camids = (
        [str(text) for text in known] if known is not None else list(map(_text, values))
        for known, values in zip(names, numbers)
    )
    paths = [str(each) for each in images.paths]
    entries = list(map(Entry, paths, pids, camids, map(times.of, paths), paths))
    description = Description(images.features.shape[1])
    with open_gallery(name, create=description) as gallery:
        gallery.add(images.features, entries)
        _warn_of_unknown_model(gallery, path)
        print(f"{path}: {len(entries)} images added; the gallery has {len(gallery)}")


def _warn_of_unknown_model(gallery: Gallery, path: Path) -> None:
    if gallery.description.model:
        logger.warning(
            "%s does not say which weights its features come from; the gallery has features of the "
            "model %.12s. Features of two models cannot be compared.",
            path,
            gallery.description.model,
        )


def _add_parts(name: str, folder: str | Path, times: _Times) -> None:
    """Add the images of a folder of parts that are not in the gallery, one part at a time."""
    from fastreid.evaluation.features.part_folder import iterate_parts

    parts = iterate_parts(folder)
    info, columns = next(parts)
    model = info.weights_sha256 or info.model
    with open_gallery(name, create=Description(columns.features.shape[1], model)) as gallery:
        known = {entry.key for entry in gallery.entries()}
        added = existing = 0
        for _, (paths, pids, camids, features) in itertools.chain([(info, columns)], parts):
            new = []
            for row, path in enumerate(paths):
                if path not in known:
                    known.add(path)
                    new.append(row)
            entries = [
                Entry(paths[row], pids[row], camids[row], times.of(paths[row]), paths[row])
                for row in new
            ]
            if new:
                gallery.add(features[new], entries, model=model)
            added, existing = added + len(new), existing + len(paths) - len(new)
        print(
            f"{folder}: {added} images added, {existing} were there; the gallery has {len(gallery)}"
        )


def _text(number: int) -> str:
    return "" if number == UNKNOWN else str(number)


def _add_folder(
    name: str, folder: Path, model: Path | None, pattern: re.Pattern, times: _Times
) -> None:
    if model is None:
        raise ValueError("--images needs --model, an exported file that computes the features.")
    if not folder.is_dir():
        raise NotADirectoryError(f"--images {folder} is not a folder.")
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _SUFFIXES]
    if not paths:
        raise ValueError(f"The folder {folder} has no images.")
    opened = open_picture_model(model)
    features = opened.embed(paths)
    entries = [
        Entry(str(p), *_labels(p.name, pattern), times.of(str(p)), path=str(p)) for p in paths
    ]
    description = Description(features.shape[1], opened.weights_sha256)
    with open_gallery(name, create=description) as gallery:
        gallery.add(features, entries, model=description.model)
        print(f"{folder}: {len(entries)} images added; the gallery has {len(gallery)}")


def _labels(name: str, pattern: re.Pattern) -> tuple[str, str]:
    """Return identity and camera in a file name; "" if they are not known."""
    match = pattern.match(name)
    pid, camid = (match["pid"] or "", match["camid"] or "") if match else ("", "")
    return ("" if pid == str(UNKNOWN) else pid), camid


def search_images(args: argparse.Namespace) -> None:
    """Print the images that are most similar to each query, or to the mean of all."""
    if args.top < 1:
        raise ValueError(f"--top is {args.top}; it must be at least 1.")
    with open_gallery(args.gallery) as gallery:
        model = open_picture_model(args.model)
        require_model(gallery, args.gallery, model=model.weights_sha256, source=model.source)
        features, titles = model.embed(args.queries), args.queries
        if args.average:
            features, titles = mean_direction(features)[None], [", ".join(args.queries)]
        found = gallery.search(features, top=args.top, only=filter_of(args))
        for title, matches in zip(titles, found):
            print(describe_matches(title, matches))


def print_stats(args: argparse.Namespace) -> None:
    """Print the numbers of images, identities and cameras."""
    with open_gallery(args.gallery) as gallery:
        entries = list(gallery.entries())
        pids, camids = ({getattr(e, name) for e in entries} - {""} for name in ("pid", "camid"))
        print(
            f"{args.gallery}: {len(entries)} images, {len(pids)} identities, {len(camids)} "
            f"cameras, {gallery.description.dimension} dimensions, model "
            f"{gallery.description.model or 'not known'}"
        )


def export_entries(args: argparse.Namespace) -> None:
    """Write all entries to a CSV file."""
    check_output_file(args.output, "FILE", suffixes=(".csv",))
    with open_gallery(args.gallery) as gallery:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(args.output) as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Entry._fields)
            writer.writerows(gallery.entries())
        print(f"{args.output}: {len(gallery)} images")


def remove_images(args: argparse.Namespace) -> None:
    """Remove entries by their names."""
    with open_gallery(args.gallery) as gallery:
        removed = gallery.remove(args.keys)
        print(f"{removed} of {len(args.keys)} names removed; the gallery has {len(gallery)} images")


_COMMANDS = {
    "add": add_images,
    "search": search_images,
    "stats": print_stats,
    "export": export_entries,
    "remove": remove_images,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command."""
    args = parse_args(argv)
    log_to_screen(logging.WARNING)
    _COMMANDS[args.command](args)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
