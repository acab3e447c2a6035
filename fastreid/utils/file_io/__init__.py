"""Files and folders.

``paths`` expands and normalizes paths given by users, ``output_path`` checks that a result can be
written, ``images`` reads pictures, ``cache_folder`` is the folder of the cache, ``path_manager``
has fast-reid's interface.
"""

from .path_manager import PathManager, get_cache_dir

__all__ = ["PathManager", "get_cache_dir"]
