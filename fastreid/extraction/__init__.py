"""Features of many images by several processes, on one machine or, with Ray, on several.

`listing` lists the images, `image_times` reads when they were taken, `model` describes the network
to the processes, `part` computes the features of some images, `output_folder` writes them as
Parquet files and finds those that exist, `processes` and `ray_engine` (with `ray_cleaner`)
distribute the parts, `running` joins these. None of them imports MindSpore or Ray before it is
needed. `fastreid.evaluation` reads the files.
"""

from .listing import Listing, list_images
from .model import ExtractionModel
from .output_folder import UNREADABLE
from .part import ExtractionError
from .running import ENGINES, Distribution, Summary, extract_parts

__all__ = [
    "ENGINES",
    "UNREADABLE",
    "Distribution",
    "ExtractionError",
    "ExtractionModel",
    "Listing",
    "Summary",
    "extract_parts",
    "list_images",
]
