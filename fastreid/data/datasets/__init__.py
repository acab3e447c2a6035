"""Data sets: lists of (image path, identity, camera) for training, query and gallery.

To add a data set whose files have identity and camera in their names, derive a class from
``FolderDataset``, as `market1501` does; for any other layout, derive one from ``ImageDataset``, as
`msmt17` does. Register it in ``DATASET_REGISTRY``. Images listed in a CSV file need no class: see
``ImageList``. `build` makes a registered data set from the config; `files` has functions that read
folders and lists; `preparation` makes image files from releases.
"""

from .bases import DATASET_REGISTRY, ImageDataset
from .build import data_root, load_dataset
from .counts import Counts
from .cuhk03 import CUHK03
from .cuhk_sysu import cuhkSYSU
from .folders import FolderDataset
from .image_list import ImageList
from .market1501 import Market1501
from .msmt17 import MSMT17

__all__ = [
    "CUHK03",
    "DATASET_REGISTRY",
    "MSMT17",
    "Counts",
    "FolderDataset",
    "ImageDataset",
    "ImageList",
    "Market1501",
    "cuhkSYSU",
    "data_root",
    "load_dataset",
]
