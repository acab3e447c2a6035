"""The registered classes of the data sets in the table."""

from __future__ import annotations

from ..bases import DATASET_REGISTRY
from .dataset import make_class
from .table import LAYOUTS

CLASSES = {layout.name: DATASET_REGISTRY.register(make_class(layout)) for layout in LAYOUTS}

# The classes that fast-reid's users import by name.
DukeMTMC = CLASSES["DukeMTMC"]
OccludedDuke = CLASSES["OccludedDuke"]
CUHK02 = CLASSES["CUHK02"]
OccludedREID = CLASSES["OccludedREID"]
PartialREID = CLASSES["PartialREID"]
PartialiLIDS = CLASSES["PartialiLIDS"]
AirportALERT = CLASSES["AirportALERT"]
PKU = CLASSES["PKU"]
PRAI = CLASSES["PRAI"]
SAIVT = CLASSES["SAIVT"]
SenseReID = CLASSES["SenseReID"]
SYSU_mm = CLASSES["SYSU_mm"]
Thermalworld = CLASSES["Thermalworld"]
PeS3D = CLASSES["PeS3D"]
CAVIARa = CLASSES["CAVIARa"]
LPW = CLASSES["LPW"]
Shinpuhkan = CLASSES["Shinpuhkan"]
WildTrackCrop = CLASSES["WildTrackCrop"]
VeRi = CLASSES["VeRi"]
