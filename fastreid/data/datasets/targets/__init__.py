"""The small data sets that domain generalization is tested on, each with several splits."""

from .grid import GRID
from .ilids import iLIDS
from .prid import PRID
from .viper import VIPeR

__all__ = ["GRID", "PRID", "VIPeR", "iLIDS"]
