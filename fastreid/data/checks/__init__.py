"""Checks of a data set before it is used: the same ones in tools and at the start of a run.

`dataset` has the check; `findings` and `diagnosis` describe faults of a data set in sentences, the
latter those of a test set; `image_files` checks image files.
"""

from .dataset import CheckResult, check_dataset, explained, require_files, require_usable
from .findings import USES

# The name that release 0.1 had.
require_sound = require_usable

__all__ = [
    "USES",
    "CheckResult",
    "check_dataset",
    "explained",
    "require_files",
    "require_sound",
    "require_usable",
]
