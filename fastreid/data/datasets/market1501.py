"""Market-1501."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from fastreid.config import CfgNode

from .bases import DATASET_REGISTRY
from .construction import construct
from .counts import Counts
from .folders import FolderDataset
from .items import Item

logger = logging.getLogger(__name__)


@DATASET_REGISTRY.register()
class Market1501(FolderDataset):
    """Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015; 6 cameras.

    Files are named like 0002_c1s1_000451_03.jpg. Images with identity -1 (junk boxes) are dropped;
    those with identity 0 (distractors) stay in the gallery, and are not trained on.

    If there is no folder ``Market-1501-v15.09.15``, its three folders are looked for in the data
    root itself, as in fast-reid; this form is deprecated.

    Args:
        root: folder that holds the data sets.
        market1501_500k: whether the images of the folder ``images``, the 500,000 distractors of
            Market-1501+500k, are part of the gallery (DATASETS.MARKET1501_500K).
        combineall: whether ``train`` includes query and gallery.
    """

    dataset_name = "Market1501"
    counts_source = "Zheng et al., ICCV 2015"
    dataset_dir = "Market-1501-v15.09.15"
    splits = {
        "train": "bounding_box_train",
        "query": "query",
        "gallery": "bounding_box_test",
        "distractors": "images",
    }
    file_name = re.compile(r"(?P<pid>-1|[0-9]+)_c(?P<camid>[1-9][0-9]*)")
    dropped_pids = frozenset({-1})
    published = {
        "train": Counts(751, 12936),
        "query": Counts(750, 3368),
        "gallery": Counts(751, 15913),
    }
    _junk_pids = (0, -1)

    def __init__(
        self,
        root: str | Path = "datasets",
        market1501_500k: bool = False,  # noqa: FBT001, FBT002 - as in fast-reid
        *,
        combineall: bool = False,
    ) -> None:
        self._with_distractors = market1501_500k
        if market1501_500k:
            self.published = {split: self.published[split] for split in ("train", "query")}
        super().__init__(root, combineall=combineall)
        flat = self.data_dir.parent
        if not self.data_dir.is_dir() and (flat / self.splits["query"]).is_dir():
            logger.warning(
                "%s: %s does not exist, so its folders are read from %s; this is deprecated. Move "
                "them into %s.",
                *(self.dataset_name, self.data_dir, flat, self.dataset_dir),
            )
            self.data_dir = flat

    @classmethod
    def from_config(cls, cfg: CfgNode, *, root: str, combineall: bool = False) -> Market1501:
        """Make the data set with the distractors that DATASETS.MARKET1501_500K chooses.

        Args:
            cfg: DATASETS.MARKET1501_500K.
            root: folder that holds the data sets.
            combineall: whether ``train`` includes query and gallery.
        """
        options = {
            "root": root,
            "combineall": combineall,
            "market1501_500k": cfg.DATASETS.MARKET1501_500K,
        }
        return construct(cls, options)

    def _read_split(self, split: str) -> list[Item]:
        items = super()._read_split(split)
        if split == "gallery" and self._with_distractors:
            items += super()._read_split("distractors")
        return items
