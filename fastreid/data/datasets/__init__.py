from .bases import DATASET_REGISTRY, Counts, ImageDataset
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
]
