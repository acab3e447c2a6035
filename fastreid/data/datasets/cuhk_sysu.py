"""CUHK-SYSU, cropped from the frames of the person search data set."""

from __future__ import annotations

import re
from pathlib import Path

from .bases import DATASET_REGISTRY
from .counts import Counts
from .folders import FolderDataset


@DATASET_REGISTRY.register()
class cuhkSYSU(FolderDataset):  # noqa: N801 - the name in the field's configs
    """Xiao et al., "Joint Detection and Identification Feature Learning", CVPR 2017.

    Training uses all crops of ``cuhk_sysu/cropped_images``, from all 11,934 identities, so
    ``combineall`` adds nothing. Evaluation uses the re-ID version, ``cuhksysu4reid``. There are no
    cameras: training images and queries get camera 0 and gallery images camera 1, so that the rule
    "same identity, same camera" removes no match. tools/crop_cuhk_sysu.py makes both folders.

    Args:
        root: folder that holds the data sets.
        combineall: no effect.
    """

    dataset_name = "cuhkSYSU"
    counts_source = "Xiao et al., CVPR 2017; crops of its annotations"
    trains_on_test_identities = True
    splits = {
        "train": "cuhk_sysu/cropped_images",
        "query": "cuhksysu4reid/query",
        "gallery": "cuhksysu4reid/gallery",
    }
    file_name = re.compile(r"p?(?P<pid>[0-9]+)_")
    cameras = {"train": 0, "query": 0, "gallery": 1}
    published = {
        "train": Counts(11934, 34574),
        "query": Counts(2900, 2900),
        "gallery": Counts(2900, 5447),
    }

    def __init__(self, root: str | Path = "datasets", *, combineall: bool = False) -> None:  # noqa: ARG002
        # The identities of the test splits are among the training crops already.
        super().__init__(root, combineall=False)
