"""Market-1501."""

import re

from .bases import DATASET_REGISTRY
from .counts import Counts
from .folders import FolderDataset


@DATASET_REGISTRY.register()
class Market1501(FolderDataset):
    """Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015; 6 cameras.

    Files are named like 0002_c1s1_000451_03.jpg. Images with identity -1 (junk boxes) are dropped;
    those with identity 0 (distractors) stay in the gallery, and are not trained on.
    """

    dataset_name = "Market1501"
    dataset_dir = "Market-1501-v15.09.15"
    splits = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    file_name = re.compile(r"(?P<pid>-1|[0-9]+)_c(?P<camid>[1-9][0-9]*)")
    dropped_pids = frozenset({-1})
    published = {
        "train": Counts(751, 12936),
        "query": Counts(750, 3368),
        "gallery": Counts(751, 15913),
    }
    _junk_pids = (0, -1)
