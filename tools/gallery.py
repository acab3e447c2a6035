"""Keep features of known images in a gallery, and search it.

    python tools/gallery.py add people feats.npz
    python tools/gallery.py add people --images FOLDER --model model.onnx
    python tools/gallery.py search people QUERY.jpg --model model.onnx --top 5 --not-camid 3
    python tools/gallery.py stats people
    python tools/gallery.py export people people.csv
    python tools/gallery.py remove people a.jpg b.jpg

A gallery is a folder, which `add` makes; faiss:FOLDER searches it by FAISS; FILE.db is a file of
Milvus Lite, http://HOST:19530 a Milvus server. feats.npz is made by tools/extract_features.py,
model.onnx by tools/export.py. An image's name in the gallery is its path; `add --images` reads
identity and camera from file names such as 0002_c1s1_000451_03.jpg.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from fastreid.deploy import Embedder
from fastreid.gallery import Description, Entry, Filter, Gallery, GalleryError, Match, open_gallery
from fastreid.utils.atomic_file import replacing
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.labels import FILE_NAME, UNKNOWN

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="gallery.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add images; the gallery is made if there is none")
    add.add_argument("gallery")
    add.add_argument("features", nargs="*", type=user_path, metavar="FEATS.npz")
    add.add_argument("--images", type=user_path, metavar="FOLDER", help="images to add")
    add.add_argument("--model", type=user_path, metavar="M.onnx", help="model for --images")
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
    search.add_argument("--pid", action="append", help="only this identity; may be repeated")
    search.add_argument("--camid", action="append", help="only this camera; may be repeated")
    search.add_argument("--not-camid", action="append", default=[], help="not this camera")
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
    if args.images:
        _add_folder(args.gallery, args.images, args.model, args.pattern)
        return
    # Reading a feature file needs packages that the other commands do not.
    from fastreid.evaluation.features.feature_file import load_features

    for path in args.features:
        images = load_features(path).images
        names = [images.pid_names, images.camid_names]
        numbers = [images.pids, images.camids]
        pids, camids = (
            [str(text) for text in known] if known is not None else list(map(_text, values))
            for known, values in zip(names, numbers)
        )
        paths = [str(each) for each in images.paths]
        entries = list(map(Entry, paths, pids, camids, [None] * len(paths), paths))
        description = Description(images.features.shape[1])
        with open_gallery(args.gallery, create=description) as gallery:
            gallery.add(images.features, entries)
            print(f"{path}: {len(entries)} images added; the gallery has {len(gallery)}")


def _text(number: int) -> str:
    return "" if number == UNKNOWN else str(number)


def _add_folder(name: str, folder: Path, model: Path | None, pattern: re.Pattern) -> None:
    if model is None:
        raise ValueError("--images needs --model, an exported file that computes the features.")
    if not folder.is_dir():
        raise NotADirectoryError(f"--images {folder} is not a folder.")
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _SUFFIXES]
    if not paths:
        raise ValueError(f"The folder {folder} has no images.")
    embed = Embedder(model)
    features = embed(paths)
    entries = [Entry(str(p), *_labels(p.name, pattern), path=str(p)) for p in paths]
    description = Description(features.shape[1], embed.info.weights_sha256)
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
    only = Filter(
        pids=frozenset(args.pid) if args.pid else None,
        camids=frozenset(args.camid) if args.camid else None,
        without_camids=frozenset(args.not_camid),
    )
    with open_gallery(args.gallery) as gallery:
        embed = Embedder(args.model)
        _require_model(gallery, embed, args.gallery)
        features, titles = embed(args.queries), args.queries
        if args.average:
            unit = features / np.linalg.norm(features, axis=1, keepdims=True)
            features, titles = unit.mean(axis=0, keepdims=True), [", ".join(args.queries)]
        for title, matches in zip(titles, gallery.search(features, top=args.top, only=only)):
            print_matches(title, matches)


def _require_model(gallery: Gallery, embed: Embedder, name: str) -> None:
    own = gallery.description.model
    if own and own != embed.info.weights_sha256:
        raise GalleryError(
            f"The features of the gallery {name} come from the model {own}, {embed.path} is "
            f"{embed.info.weights_sha256}; features of two models cannot be compared."
        )


def print_matches(title: str, matches: Sequence[Match]) -> None:
    """Print the matches of a query, the most similar first."""
    print(title)
    for rank, match in enumerate(matches, start=1):
        entry = match.entry
        labels = f"  id {entry.pid}" * bool(entry.pid) + f"  camera {entry.camid}" * bool(
            entry.camid
        )
        print(f"{rank:4d}  {match.similarity:.4f}  {entry.key}{labels}")


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
    _COMMANDS[args.command](args)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
