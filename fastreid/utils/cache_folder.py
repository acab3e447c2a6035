"""Where files go that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "FASTREID_CACHE"


def cache_folder() -> Path:
    """Give $FASTREID_CACHE, or ~/.cache/fastreid where it is not set; it may be missing."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/fastreid").expanduser()
