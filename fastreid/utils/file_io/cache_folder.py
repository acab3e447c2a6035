"""Where files go that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

from .paths import expand_home

CACHE_VARIABLE = "FASTREID_CACHE"


def cache_folder() -> Path:
    """Give $FASTREID_CACHE, or ~/.cache/fastreid where it is not set; it may be missing.

    Raises:
        ValueError: it is in the home folder of somebody who has none.
    """
    return expand_home(os.environ.get(CACHE_VARIABLE) or "~/.cache/fastreid", CACHE_VARIABLE)
