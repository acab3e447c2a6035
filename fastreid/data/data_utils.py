"""Reading of image files, under fast-reid's module name."""

from fastreid.utils.file_io.images import ImageError, read_image

__all__ = ["ImageError", "read_image"]
