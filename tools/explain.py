"""Show why a model finds images similar, and how ACL routes them.

    python tools/explain.py activation A.jpg B.jpg --config-file F --output O.png MODEL.WEIGHTS W
    python tools/explain.py pair QUERY.jpg RESULT.jpg --config-file F --output O.png MODEL.WEIGHTS W
    python tools/explain.py routing --config-file F --output O.png MODEL.WEIGHTS W

activation draws the length of the last map's vectors over each image. pair draws what each place of
the query and of each result adds to the cosine of their features; the numbers of both maps, the
bias and the rest add up to the cosine. routing draws the weights of ACL's adaptors in each stage:
means over the images of domains, which are data sets or folders of images, and those of single
images. It needs Matplotlib: pip install matplotlib

The numbers are written as JSON beside the picture. docs/explain.md has the details.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

import numpy as np

from fastreid.config import CfgNode, is_setting, load_config
from fastreid.data import load_dataset
from fastreid.data.datasets.files import search_images
from fastreid.engine import DefaultPredictor, set_device_and_mode
from fastreid.explain import (
    Explainer,
    ShownImage,
    activation_numbers,
    activation_sheet,
    check_report,
    compare_domains,
    explain_routing,
    pair_numbers,
    pair_sheet,
    require_matplotlib,
    require_routers,
    routing_figure,
    routing_numbers,
    to_picture,
    write_report,
)
from fastreid.utils.command_line.command import run_command, split_pairs, user_path
from fastreid.utils.logger import log_to_screen

_RESOLUTION = 110


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="explain.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    activation = commands.add_parser("activation", help="draw activation maps of images")
    activation.add_argument("images", nargs="+", type=user_path, metavar="IMAGE.jpg")
    pair = commands.add_parser("pair", help="draw what places add to the cosine of a pair")
    pair.add_argument("query", type=user_path, metavar="QUERY.jpg")
    pair.add_argument("results", nargs="+", type=user_path, metavar="RESULT.jpg")
    routing = commands.add_parser("routing", help="draw the weights of ACL's adaptors")
    routing.add_argument(
        "--domains",
        nargs="*",
        metavar="NAME",
        help="data sets or folders of images; default: all data sets of the config",
    )
    routing.add_argument(
        "--count", type=int, default=64, help="images of each domain, spread evenly; default 64"
    )
    routing.add_argument(
        "--images", nargs="*", default=[], type=user_path, metavar="IMAGE.jpg", help="single images"
    )
    for command in (activation, pair, routing):
        command.add_argument("--config-file", required=True, type=user_path, metavar="F")
        command.add_argument("--output", required=True, type=user_path, metavar="FILE.png")
        command.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings")
    others, pairs = split_pairs(sys.argv[1:] if argv is None else argv, is_setting)
    args = parser.parse_args(others)
    args.opts = [*args.opts, *pairs]
    return args


def build_predictor(args: argparse.Namespace) -> DefaultPredictor:
    """Build the model of the command line with its weights."""
    cfg = load_config(args.config_file, args.opts)
    cfg.freeze()
    set_device_and_mode(cfg)
    return DefaultPredictor(cfg)


def show_activation(args: argparse.Namespace) -> str:
    """Draw the activation maps of images."""
    explainer = Explainer(build_predictor(args))
    shown = [_shown(explainer, path) for path in args.images]
    maps = [explainer.image(path) for path in args.images]
    sheet = activation_sheet(shown, maps)
    numbers = activation_numbers([image.name for image in shown], maps)
    file = write_report(args.output, sheet.save, numbers)
    return f"Drawn in {args.output}, numbers in {file}"


def show_pair(args: argparse.Namespace) -> str:
    """Draw what the places of a query and of each result add to their cosine."""
    explainer = Explainer(build_predictor(args))
    query = _shown(explainer, args.query)
    results = [_shown(explainer, path) for path in args.results]
    why = [explainer.pair(args.query, path) for path in args.results]
    sheet = pair_sheet(query, results, why)
    numbers = pair_numbers(query.name, [image.name for image in results], why)
    file = write_report(args.output, sheet.save, numbers)
    for image, pair in zip(results, why):
        places = [float(each.sum()) for each in (pair.query_map, pair.gallery_map)]
        print(
            f"{image.name}: cosine {pair.cosine:.4f} = query {places[0]:+.4f}, result "
            f"{places[1]:+.4f}, bias {pair.bias:+.4f}, rest {pair.rest:+.4f}"
        )
    return f"Drawn in {args.output}, numbers in {file}"


def _shown(explainer: Explainer, path: Path) -> ShownImage:
    return ShownImage(str(path), to_picture(explainer.prepare(path)))


def show_routing(args: argparse.Namespace) -> str:
    """Draw the weights of the adaptors for domains and single images."""
    if args.count < 1:
        raise ValueError(f"--count is {args.count}; it must be at least 1.")
    require_matplotlib()
    predictor = build_predictor(args)
    require_routers(predictor.model)
    domains = _domains(args, predictor.cfg)
    paths = {name: _chosen(each, args.count) for name, each in domains.items()}
    if not paths and not args.images:
        raise ValueError("Name domains by --domains, or images by --images.")
    names = list(dict.fromkeys(str(path) for path in args.images))
    # In one call, which compiles the network once.
    groups = [*paths.values(), names]
    every = explain_routing(predictor, [path for group in groups for path in group])
    parts = np.split(every, np.cumsum([len(group) for group in groups])[:-1])
    weights, single = dict(zip(paths, parts)), dict(zip(names, parts[-1]))
    routing = compare_domains(weights)
    figure = routing_figure(routing, dict(zip(_short(names, paths), single.values())))
    numbers = routing_numbers(routing, paths, single)
    file = write_report(args.output, lambda path: figure.savefig(path, dpi=_RESOLUTION), numbers)
    for name, each in weights.items():
        print(f"{name}: {len(each)} images")
    return f"Drawn in {args.output}, numbers in {file}"


def _domains(args: argparse.Namespace, cfg: CfgNode) -> dict[str, list[str]]:
    """Map the names of the domains to the paths of their images.

    The name of a folder is its last part, or the whole word where another domain has that name.
    """
    words = args.domains
    if words is None:
        words = list(dict.fromkeys([*cfg.DATASETS.NAMES, *cfg.DATASETS.TESTS]))
    names = [Path(word).resolve().name if Path(word).is_dir() else word for word in words]
    counts = Counter(names)
    names = [word if counts[name] > 1 else name for word, name in zip(words, names)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"--domains: two are called {twice[0]}; each needs a name of its own.")
    return {
        name: _folder(Path(word)) if Path(word).is_dir() else _data_set(cfg, word)
        for name, word in zip(names, words)
    }


def _folder(folder: Path) -> list[str]:
    images = search_images(folder).images
    if not images:
        raise ValueError(f"--domains: the folder {folder} has no images.")
    return [str(path) for path in images]


def _data_set(cfg: CfgNode, name: str) -> list[str]:
    data = load_dataset(cfg, name)
    return [item[0] for item in (*data.train, *data.query, *data.gallery)]


def _short(paths: Sequence[str], domains: Collection[str]) -> list[str]:
    """Shorten paths to file names, except those of another image or of a domain."""
    counts = Counter(Path(path).name for path in paths)
    return [
        path if counts[name] > 1 or name in domains else name
        for path, name in ((path, Path(path).name) for path in paths)
    ]


def _chosen(paths: Sequence[str], count: int) -> list[str]:
    """Choose paths at equal distances in the list."""
    places = np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)
    return [paths[place] for place in places]


_COMMANDS = {"activation": show_activation, "pair": show_pair, "routing": show_routing}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command."""
    args = parse_args(argv)
    log_to_screen()
    check_report(args.output, "--output")
    print(_COMMANDS[args.command](args))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
