from .adam import Adam
from .adaptive import Adaptive
from .rules import RULES
from .sgd import SGD

__all__ = ["RULES", "SGD", "Adam", "Adaptive"]
