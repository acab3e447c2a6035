"""The folder of cached files, which can be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

from .paths import expand_home

CACHE_VARIABLE = "FASTREID_CACHE"


def cache_folder() -> Path:
    """Return $FASTREID_CACHE, or ~/.cache/fastreid if it is not set; the folder may not exist.

    Raises:
        ValueError: the path begins with the home folder of an unknown user.
    """
    return expand_home(os.environ.get(CACHE_VARIABLE) or "~/.cache/fastreid", CACHE_VARIABLE)
