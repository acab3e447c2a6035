"""Files that hold the random splits of a data set."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastreid.utils.atomic_file import replacing

from ..files import read_text
from .prepared_folder import cache_of, writable_folder

logger = logging.getLogger(__name__)

_SEED = 0


class SplitFile(NamedTuple):
    """The splits of a data set.

    Attributes:
        path: the file.
        splits: the splits, in the form of the data set.
        sha256: checksum of the file, 64 hexadecimal digits.
    """

    path: Path
    splits: Sequence[Any]
    sha256: str


def drawn_order(labels: Iterable[str], *, draw: int, seed: int = _SEED) -> list[str]:
    """Shuffle labels, in the same way on every machine and with every version of NumPy.

    The labels are sorted by the SHA-256 of "<seed>/<draw>/<label>".

    Args:
        labels: different texts.
        draw: number of the shuffle.
        seed: seed of all shuffles.

    Returns:
        The labels in another order, which does not depend on the order of `labels`.
    """
    return sorted(
        labels, key=lambda label: hashlib.sha256(f"{seed}/{draw}/{label}".encode()).hexdigest()
    )


def read_or_draw(
    data_dir: Path, name: str, *, dataset: str, fields: Sequence[str], draw: Callable[[], list]
) -> SplitFile:
    """Read the file of the splits; if there is none, draw them and write it.

    A new file is written in `data_dir` or, if that is not writable, in the cache
    ($FASTREID_CACHE). It gets its name when it is complete. If several processes write it at once,
    their files are equal.

    Args:
        data_dir: folder of the data set.
        name: name of the file.
        dataset: name of the data set, for messages.
        fields: lists that each split has.
        draw: gives the splits.

    Returns:
        The splits.

    Raises:
        ValueError: the file is not a list of splits with these fields.
        OSError: neither `data_dir` nor the cache is writable.
    """
    cache = cache_of(data_dir, [])
    path = next((folder / name for folder in (data_dir, cache) if (folder / name).exists()), None)
    if path is None:
        path = writable_folder(data_dir, cache) / name
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(draw()) + "\n", encoding="utf-8")
        logger.info("%s: drew the splits and wrote %s; this happens once", dataset, path)
    found = SplitFile(path, _parse(path, fields), file_sha256(path))
    logger.info("%s: %d splits of %s, sha256 %s", dataset, len(found.splits), path, found.sha256)
    return found


def file_sha256(path: Path) -> str:
    """Give the SHA-256 of a small file, as 64 hexadecimal digits.

    Args:
        path: the file.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parse(path: Path, fields: Sequence[str]) -> list[dict[str, list]]:
    way_out = "it is of another program or version. Remove it to have the splits drawn again."
    try:
        splits = json.loads(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): {way_out}") from error
    if not isinstance(splits, list) or not splits:
        raise ValueError(f"{path} is not a list of splits: {way_out}")
    for number, split in enumerate(splits):
        lists = split if isinstance(split, dict) else {}
        lacking = [field for field in fields if not isinstance(lists.get(field), list)]
        if lacking:
            raise ValueError(f"{path}, split {number}, has no list {lacking[0]!r}: {way_out}")
    return splits
