"""CUHK03, from prepared splits and images, or from the released .mat files."""

from __future__ import annotations

import json
import logging
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.utils.labels import whole_number

from ..bases import DATASET_REGISTRY, ImageDataset
from ..construction import construct
from ..counts import Counts
from ..files import MissingPartError, read_text, require_images, require_plain_name, require_root
from ..items import Item
from ..preparation.cuhk03 import Prepared, prepare_split

logger = logging.getLogger(__name__)

# Names of the folder in ACL and in fast-reid.
_FOLDERS = ("cuhk03_new", "cuhk03")
_SPLITS = ("train", "query", "gallery")
# Published sizes of the new protocol.
_PUBLISHED = {
    "labeled": {
        "train": Counts(767, 7368),
        "query": Counts(700, 1400),
        "gallery": Counts(700, 5328),
    },
    "detected": {
        "train": Counts(767, 7365),
        "query": Counts(700, 1400),
        "gallery": Counts(700, 5332),
    },
}


@DATASET_REGISTRY.register()
class CUHK03(ImageDataset):
    """Li et al., "DeepReID", CVPR 2014; 5 pairs of cameras, numbered as two views.

    The new protocol (Zhong et al., "Re-ranking Person Re-identification with k-reciprocal
    Encoding", CVPR 2017) trains on 767 identities and tests on 700; the classic one has 20 splits
    of 1,367 and 100.

    Images and ``splits_<protocol>_<boxes>.json`` are used if they exist, even if the JSON file was
    written for another folder. Missing ones are made from the .mat files, in the folder of the data
    set or, if that is not writable, in the cache ($FASTREID_CACHE, ~/.cache/fastreid).

    Args:
        root: folder that holds ``cuhk03_new`` (ACL's name) or ``cuhk03`` (fast-reid's); if both
            exist, the first one is used.
        split_id: number of the split in the JSON file.
        cuhk03_labeled: whether the boxes are those drawn by hand; False: those of a detector.
        cuhk03_classic_split: whether to use the classic protocol instead of the new one.
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: neither the prepared files nor the .mat files exist.
        OSError: files must be made, and neither the data root nor the cache is writable.
    """

    dataset_name = "CUHK03"
    counts_source = "Zhong et al., CVPR 2017"

    def __init__(
        self,
        root: str | Path = "datasets",
        *,
        split_id: int = 0,
        cuhk03_labeled: bool = True,
        cuhk03_classic_split: bool = False,
        combineall: bool = False,
    ) -> None:
        self.data_dir = self._find_folder(require_root(root))
        self._boxes = "labeled" if cuhk03_labeled else "detected"
        self._protocol = "classic" if cuhk03_classic_split else "new"
        self._split_id = split_id
        super().__init__(
            self._read_train,
            partial(self._read, "query"),
            partial(self._read, "gallery"),
            combineall=combineall,
            published=None if cuhk03_classic_split else _PUBLISHED[self._boxes],
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, *, root: str, combineall: bool = False) -> CUHK03:
        """Make the data set with the boxes and the protocol of DATASETS.CUHK03.

        Args:
            cfg: DATASETS.CUHK03, and DATASETS.SPLIT for the classic protocol.
            root: folder that holds the data sets.
            combineall: whether ``train`` includes query and gallery.
        """
        options = {
            "root": root,
            "combineall": combineall,
            "cuhk03_labeled": cfg.DATASETS.CUHK03.LABELED,
            "cuhk03_classic_split": cfg.DATASETS.CUHK03.CLASSIC_SPLIT,
            # The new protocol has a single split.
            "split_id": cfg.DATASETS.SPLIT if cfg.DATASETS.CUHK03.CLASSIC_SPLIT else 0,
        }
        return construct(cls, options)

    def _find_folder(self, root: Path) -> Path:
        present = [root / name for name in _FOLDERS if (root / name).is_dir()]
        if not present:
            raise MissingPartError(
                f"{self.dataset_name}: the folder {root / _FOLDERS[0]} is missing, and so is "
                f"{_FOLDERS[1]} (FASTREID_DATASETS is the folder that contains the data sets). "
                "datasets/README.md shows the layout."
            )
        if len(present) > 1:
            logger.info("%s: %s is read, and %s is not", self.dataset_name, present[0], present[1])
        return present[0]

    def prepare(self) -> None:
        """Make missing images and a missing JSON file from the .mat files."""
        self._prepared  # noqa: B018 - a cached property, which makes the files

    @cached_property
    def _prepared(self) -> Prepared:
        return prepare_split(self.data_dir, boxes=self._boxes, protocol=self._protocol)

    @property
    def _split_file(self) -> Path:
        return self._prepared.split_file

    @cached_property
    def _split(self) -> dict[str, Any]:
        try:
            splits = json.loads(read_text(self._split_file))
        except ValueError as error:
            raise ValueError(
                f"{self._split_file} is not JSON ({error}); remove it to have it made again."
            ) from error
        if not isinstance(splits, list) or not all(isinstance(split, dict) for split in splits):
            raise ValueError(
                f"{self._split_file} is not a list of splits; remove it to have it made again."
            )
        if self._split_id not in range(len(splits)):
            raise ValueError(
                f"split_id is {self._split_id}; {self._split_file} has {len(splits)} split(s)."
            )
        split = splits[self._split_id]
        missing = [name for name in _SPLITS if name not in split]
        if missing:
            raise ValueError(
                f"Split {self._split_id} of {self._split_file} has no {missing[0]!r}; remove the "
                "file to have it made again."
            )
        return split

    def _read_train(self) -> list[Item]:
        prefix = f"{self.dataset_name}_"
        return [
            (path, f"{prefix}{pid}", f"{prefix}{camid}") for path, pid, camid in self._read("train")
        ]

    def _read(self, name: str) -> list[Item]:
        split = self._split
        try:
            listed = [
                (self._resolve(path), whole_number(pid), whole_number(camid))
                for path, pid, camid in _entries(split[name])
            ]
        except ValueError as error:
            raise ValueError(f"{self._split_file}, {name}: {error}") from error
        paths = require_images([path for path, _, _ in listed], self.dataset_name, self._split_file)
        return [(str(path), pid, camid) for path, (_, pid, camid) in zip(paths, listed)]

    def _resolve(self, path: str) -> Path:
        """Find an image in the image folder, also if its path was written on another machine."""
        parts = path.replace("\\", "/").split("/")
        return self._prepared.folder / require_plain_name(path, parts[-2:])


def _entries(listed: Any) -> list[list]:
    """Check the form of the entries of a split."""
    if not isinstance(listed, list):
        raise ValueError("it is not a list.")
    for entry in listed:
        if not isinstance(entry, list) or len(entry) != 3 or not isinstance(entry[0], str):
            raise ValueError(f"{entry!r:.200} is not [path, identity, camera].")
    return listed
