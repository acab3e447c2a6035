"""Files and folders: paths, the cache folder, checks of output paths, and `PathManager`."""

from .path_manager import PathManager, get_cache_dir

__all__ = ["PathManager", "get_cache_dir"]
