"""What the data sets of a run contain, and how that differs from the protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.data import ImageDataset, load_dataset

from .settings import with_split
from .spec import Protocol, Route, Run

# File that tools/make_demo_data.py writes into the folders of demo data.
_DEMO_MARKER = ".fastreid-demo.json"


def describe_data(cfg: CfgNode, run: Run) -> dict[str, dict[str, Any]]:
    """Describe the data sets of a run.

    Args:
        cfg: the configuration of the run.
        run: the run.

    Returns:
        Registered name -> "version" ("" if the data set has one only), "is_demo", and "subsets":
        for "train" of sources, and for "query" and "gallery" of targets, "ids", "images" and
        "hash". The hash is a SHA-256 of the sorted lines "folder/file, identity, camera"; for
        targets with several test splits it covers all of them.

    Raises:
        FileNotFoundError, ValueError: a data set is missing or damaged, a target has too few test
            splits, or two names are one data set.
    """
    facts: dict[str, dict[str, Any]] = {}
    images: dict[str, set[str]] = {}
    for name in run.sources:
        data = load_dataset(cfg, name, combineall=cfg.DATASETS.COMBINEALL)
        items = data.train
        facts[name] = _facts(data, {"train": [items]})
        images[name] = _real_paths(item[0] for item in items)
        _require_separate(name, images, role="source")
    for route in run.routes:
        splits = _load_splits(cfg, route)
        tested = [(data.query, data.gallery) for data in splits]
        subsets = {
            "query": [query for query, _ in tested],
            "gallery": [gallery for _, gallery in tested],
        }
        facts[route.target] = _facts(splits[0], subsets)
        trained = {name: images[name] for name in run.sources}
        trained[route.target] = _real_paths(
            item[0] for pair in tested for part in pair for item in part
        )
        _require_separate(route.target, trained, role="target")
    return facts


def data_differences(protocol: Protocol, facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Describe how the data of a run differ from those of the protocol.

    Args:
        protocol: the protocol.
        facts: result of `describe_data`.

    Returns:
        A sentence for each difference.
    """
    found = []
    for name, fact in facts.items():
        rule = protocol.data.get(name)
        if fact["is_demo"]:
            found.append(f"{name} is demo data: the persons are drawn by a program.")
        if rule is None:
            continue
        if rule.version and fact["version"] != rule.version:
            version = fact["version"] or "not known"
            found.append(f"{name}: the version is {version}; the protocol has {rule.version}.")
        for subset, size in rule.sizes.items():
            here = fact["subsets"].get(subset)
            if here and (here["ids"], here["images"]) != size:
                found.append(
                    f"{name}, {subset}: {here['ids']} identities and {here['images']} images; the "
                    f"protocol has {size.ids} and {size.images}."
                )
    return found


def _load_splits(cfg: CfgNode, route: Route) -> list[ImageDataset]:
    splits = [load_dataset(with_split(cfg, split), route.target) for split in route.splits[:1]]
    available = int(getattr(splits[0], "num_splits", 1))
    existing = [split for split in route.splits if split < available]
    if len(existing) < len(route.splits):
        raise ValueError(
            f"{route.target} has {available} test split(s) here, but the protocol asks for "
            f"{len(route.splits)}, up to number {max(route.splits)}. --splits {len(existing)} uses "
            "those that exist; the result is labelled."
        )
    others = route.splits[1:]
    return [*splits, *(load_dataset(with_split(cfg, split), route.target) for split in others)]


def is_demo_data(image: str) -> bool:
    """Tell whether an image belongs to the demo data.

    Args:
        image: path of the image.
    """
    # CUHK03's images are one level below the folder of the data set, MSMT17's two.
    return any((parent / _DEMO_MARKER).is_file() for parent in [*Path(image).parents][:4])


def list_hash(parts: Sequence[Sequence[tuple]]) -> str:
    """Compute a SHA-256 of lists of images, identities and cameras.

    Only the last folder of an image counts, because the data may have been moved.

    Args:
        parts: items of a subset, for each test split.
    """
    digest = hashlib.sha256()
    for items in parts:
        lines = sorted("{}/{}\t{}\t{}".format(*Path(p).parts[-2:], *rest) for p, *rest in items)
        digest.update(json.dumps(lines).encode())
    return digest.hexdigest()


def _facts(data: ImageDataset, subsets: Mapping[str, Sequence[list]]) -> dict[str, Any]:
    first = next((items[0][0] for parts in subsets.values() for items in parts if items), "")
    return {
        "version": str(getattr(data, "version", "")),
        "is_demo": is_demo_data(first),
        "subsets": {
            subset: {
                "ids": len({item[1] for item in parts[0]}),
                "images": len(parts[0]),
                "hash": list_hash(parts),
            }
            for subset, parts in subsets.items()
        },
    }


def _real_paths(paths: Iterable[str]) -> set[str]:
    folders: dict[Path, Path] = {}
    found = set()
    for path in map(Path, paths):
        if path.parent not in folders:
            folders[path.parent] = path.parent.resolve()
        found.add(str(folders[path.parent] / path.name))
    return found


def _require_separate(name: str, images: Mapping[str, set[str]], *, role: str) -> None:
    for other, theirs in images.items():
        common = theirs & images[name] if other != name else set()
        if not common:
            continue
        fault = (
            f"the sources {other} and {name} are two names for one data set"
            if role == "source"
            else f"the model would be trained, as {other}, on the data set {name} that it is "
            "tested on"
        )
        raise ValueError(f"{len(common)} images, such as {min(common)}, are in both: {fault}.")
