"""Data sets: lists of (image path, identity, camera) for training, query and gallery.

To add a data set whose paths contain identity and camera, add a row to the table in `layouts`; for
any other layout, derive a class from ``ImageDataset``, as `msmt17` does, and register it in
``DATASET_REGISTRY``. Images listed in a CSV file need no class: see ``ImageList``. `targets` has
the small sets with several splits. `build` makes a registered data set from the config; `files` has
functions that read folders and lists; `preparation` makes image files from releases.
"""

from .bases import DATASET_REGISTRY, ImageDataset
from .build import data_root, load_dataset
from .counts import Counts
from .cuhk03 import CUHK03, CUHK03FULL
from .cuhk_sysu import cuhkSYSU
from .folders import FolderDataset
from .image_list import ImageList
from .layouts import (
    CUHK02,
    LPW,
    PKU,
    PRAI,
    SAIVT,
    AirportALERT,
    CAVIARa,
    DukeMTMC,
    Layout,
    LayoutDataset,
    OccludedDuke,
    OccludedREID,
    Part,
    PartialiLIDS,
    PartialREID,
    PeS3D,
    SenseReID,
    Shinpuhkan,
    SYSU_mm,
    Thermalworld,
    VeRi,
    WildTrackCrop,
)
from .market1501 import Market1501
from .msmt17 import MSMT17
from .targets import GRID, PRID, VIPeR, iLIDS
from .vehicles import (
    LargeVehicleID,
    LargeVeRiWild,
    MediumVehicleID,
    MediumVeRiWild,
    SmallVehicleID,
    SmallVeRiWild,
    VehicleID,
    VeRiWild,
)

__all__ = [
    "CUHK03",
    "CUHK03FULL",
    "DATASET_REGISTRY",
    "GRID",
    "MSMT17",
    "Counts",
    "FolderDataset",
    "ImageDataset",
    "ImageList",
    "LargeVeRiWild",
    "LargeVehicleID",
    "MediumVeRiWild",
    "MediumVehicleID",
    "SmallVeRiWild",
    "SmallVehicleID",
    "VeRiWild",
    "VehicleID",
    "Layout",
    "LayoutDataset",
    "Part",
    "DukeMTMC",
    "OccludedDuke",
    "CUHK02",
    "OccludedREID",
    "PartialREID",
    "PartialiLIDS",
    "AirportALERT",
    "PKU",
    "PRAI",
    "SAIVT",
    "SenseReID",
    "SYSU_mm",
    "Thermalworld",
    "PeS3D",
    "CAVIARa",
    "LPW",
    "Shinpuhkan",
    "WildTrackCrop",
    "VeRi",
    "Market1501",
    "PRID",
    "VIPeR",
    "cuhkSYSU",
    "data_root",
    "iLIDS",
    "load_dataset",
]
