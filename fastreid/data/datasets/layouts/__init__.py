"""Data sets whose folders and file names are described by a table.

`table` is the table, and the place to add a data set; `parts` reads the images of a row; `dataset`
makes its class and `classes` registers it.
"""

from .classes import (
    CUHK02,
    LPW,
    PKU,
    PRAI,
    SAIVT,
    AirportALERT,
    CAVIARa,
    DukeMTMC,
    OccludedDuke,
    OccludedREID,
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
from .dataset import Layout, LayoutDataset, make_class
from .items import test_items, train_items
from .parts import Labelled, Part, exists, label_images, read_part
from .table import LAYOUTS

__all__ = [
    "AirportALERT",
    "CAVIARa",
    "CUHK02",
    "DukeMTMC",
    "LAYOUTS",
    "LPW",
    "Labelled",
    "Layout",
    "LayoutDataset",
    "OccludedDuke",
    "OccludedREID",
    "PKU",
    "PRAI",
    "Part",
    "PartialREID",
    "PartialiLIDS",
    "PeS3D",
    "SAIVT",
    "SYSU_mm",
    "SenseReID",
    "Shinpuhkan",
    "Thermalworld",
    "VeRi",
    "WildTrackCrop",
    "exists",
    "label_images",
    "make_class",
    "read_part",
    "test_items",
    "train_items",
]
