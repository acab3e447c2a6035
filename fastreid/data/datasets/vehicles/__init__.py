"""Data sets of vehicles that are read from lists."""

from .vehicleid import LargeVehicleID, MediumVehicleID, SmallVehicleID, VehicleID
from .veriwild import LargeVeRiWild, MediumVeRiWild, SmallVeRiWild, VeRiWild

__all__ = [
    "LargeVeRiWild",
    "LargeVehicleID",
    "MediumVeRiWild",
    "MediumVehicleID",
    "SmallVeRiWild",
    "SmallVehicleID",
    "VeRiWild",
    "VehicleID",
]
