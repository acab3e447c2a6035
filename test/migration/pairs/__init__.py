"""The rows of docs/migration/api.md, chapter by chapter. The page and the tests read them here."""

from .files import FILES
from .functions import FUNCTIONS
from .layers import LAYERS
from .parameters import PARAMETERS
from .selection import SELECTION
from .tensors import TENSORS
from .training import TRAINING

CHAPTERS = (LAYERS, FUNCTIONS, TENSORS, SELECTION, PARAMETERS, TRAINING, FILES)
PAIRS = [pair for chapter in CHAPTERS for pair in chapter.pairs]

__all__ = ["CHAPTERS", "PAIRS"]
