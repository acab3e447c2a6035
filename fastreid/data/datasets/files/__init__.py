"""Files of data sets: check folders, search images, read lists.

`layout` checks that folders and files exist; `image_search` finds the images of a folder; `text`
reads text files; `listed_images` finds the images that a list names.
"""

from .image_search import Search, find_images, search_images
from .layout import (
    MissingPartError,
    list_images,
    require_file,
    require_folder,
    require_paths,
    require_root,
)
from .listed_images import listed_path, require_images, require_plain_name
from .text import read_entries, read_lines, read_text

__all__ = [
    "MissingPartError",
    "Search",
    "find_images",
    "list_images",
    "listed_path",
    "read_entries",
    "read_lines",
    "read_text",
    "require_file",
    "require_folder",
    "require_images",
    "require_paths",
    "require_plain_name",
    "require_root",
    "search_images",
]
