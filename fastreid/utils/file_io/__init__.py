"""Paths and folders given by users.

``paths`` expands and normalizes paths, ``output_path`` checks that a result can be written,
``cache_folder`` is the folder of the cache.
"""
