"""What a user needs for the protocols: weights and data sets, what is there and what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fastreid.config import CfgNode
from fastreid.data import load_dataset
from fastreid.data.checks import explained
from fastreid.data.datasets import ImageDataset, data_root
from fastreid.modeling.backbones.pretrained import find_pretrained
from fastreid.utils.messages.errors import message_of

from .facts import is_demo_data, list_hash
from .origins import ORIGINS
from .run_folder import hash_of_file
from .spec import Protocol

# The end of a published name: the first digits of the SHA-256 of the file.
_HASH_IN_NAME = re.compile(r"-(?P<digits>[0-9a-f]{8,64})\.\w+$")


class Finding(NamedTuple):
    """State of a thing that is needed.

    Attributes:
        name: what it is.
        is_there: whether it can be used.
        lines: what was found, what is expected, and where to get it.
    """

    name: str
    is_there: bool
    lines: tuple[str, ...]


def check_weights(cfg: CfgNode) -> Finding:
    """Check the ImageNet weights of a configuration.

    Args:
        cfg: the whole configuration.

    Returns:
        What was found; a file whose hash is not the one in its name cannot be used.
    """
    name = f"ImageNet weights of {cfg.MODEL.BACKBONE.NAME} {cfg.MODEL.BACKBONE.DEPTH}"
    if not cfg.MODEL.BACKBONE.PRETRAIN:
        return Finding(name, True, ("not needed: MODEL.BACKBONE.PRETRAIN is False",))
    try:
        path = find_pretrained(cfg)
    except (FileNotFoundError, ValueError) as error:
        return Finding(name, False, (message_of(error),))
    found = hash_of_file(path)
    match = _HASH_IN_NAME.search(path.name)
    if match is None:
        lines = (f"{path}", f"SHA-256 {found}; no hash is published for this name")
        return Finding(name, True, lines)
    expected = match["digits"]
    if not found.startswith(expected):
        wrong = f"SHA-256 {found}, but the name says {expected}...: damaged; download it again"
        return Finding(name, False, (f"{path}", wrong))
    return Finding(name, True, (f"{path}", f"SHA-256 {found}, as its name says ({expected}...)"))


def check_data(cfg: CfgNode, name: str, protocols: Sequence[Protocol] = ()) -> Finding:
    """Check that a data set can be read, and describe what it contains and should contain.

    Args:
        cfg: the whole configuration.
        name: registered name.
        protocols: protocols whose expected counts are listed.
    """
    origin = ORIGINS.get(name)
    where = _expected(name, protocols)
    where += [f"where to get it: {origin.where}"] if origin else []
    if origin and origin.archive:
        where.append(f"archive {origin.archive}" + (f", MD5 {origin.md5}" if origin.md5 else ""))
    try:
        data = load_dataset(cfg, name)
        subsets = _subsets(data)
    except KeyError as error:
        return Finding(name, False, (message_of(error),))
    except (OSError, ValueError, ImportError) as error:
        return Finding(name, False, (explained(error), *where))
    lines = [f"{getattr(data, 'data_dir', data_root())}"]
    version = getattr(data, "version", "")
    if version:
        lines.append(f"version {version}")
    lines += [
        f"{subset}: {len({item[1] for item in items})} identities, {len(items)} images, "
        f"hash of the list {list_hash([items])[:16]}"
        for subset, items in subsets.items()
        if items
    ]
    if any(is_demo_data(items[0][0]) for items in subsets.values() if items):
        lines.append("demo data: the persons are drawn by a program")
    lines += [f"not the published set: {line}" for line in data.count_differences(list(subsets))]
    lines += _expected(name, protocols)
    return Finding(name, True, tuple(lines))


def _expected(name: str, protocols: Sequence[Protocol]) -> list[str]:
    """List the counts that protocols expect, protocols with the same ones in one line."""
    users: dict[str, list[str]] = {}
    for protocol in protocols:
        rule = protocol.data.get(name)
        if rule is not None:
            sizes = [f"{subset} {size.ids}/{size.images}" for subset, size in rule.sizes.items()]
            version = [rule.version] if rule.version else []
            users.setdefault(", ".join([*version, *sizes]), []).append(protocol.name)
    return [
        f"expected for {', '.join(names)}, identities/images: {counts}"
        for counts, names in users.items()
        if counts
    ]


def _subsets(data: ImageDataset) -> dict[str, list]:
    """Read the subsets that the data set has; one without training or test images is usual."""
    found: dict[str, list] = {}
    problem: Exception | None = None
    for subset in ("train", "query", "gallery"):
        try:
            found[subset] = getattr(data, subset)
        except (OSError, ValueError) as error:
            problem = error
    if problem is not None and not any(found.values()):
        raise problem
    return found


def data_folder() -> Path:
    """Return the folder that holds the data sets."""
    return Path(data_root())
