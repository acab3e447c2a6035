from .build import DEMO_DATASETS, Made, make_demo_data
from .population import Sizes

__all__ = ["DEMO_DATASETS", "Made", "Sizes", "make_demo_data"]
