"""Small pictures of gallery entries, and the identifiers by which clients ask for them."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path, PurePath

from fastreid.gallery import Entry

from .uploads import read_picture

# (width, height) that small pictures do not exceed.
SIZE = (256, 512)
_QUALITY = 88
# Identifiers that are remembered, those of the latest results.
_REMEMBERED = 100_000


class EntryIds:
    """Identifiers of gallery entries that appeared in results.

    An identifier is a hash of an entry's name, which is often a path, and shows nothing of it.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._keys: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._remembered = remembered

    def add(self, key: str) -> str:
        """Remember an entry.

        Args:
            key: its name.

        Returns:
            Its identifier, 32 hexadecimal digits.
        """
        identifier = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        with self._lock:
            self._keys[identifier] = key
            self._keys.move_to_end(identifier)
            if len(self._keys) > self._remembered:
                self._keys.popitem(last=False)
        return identifier

    def key(self, identifier: str) -> str | None:
        """Return the name of an entry, or None if the identifier is not known.

        Args:
            identifier: from `add`.
        """
        with self._lock:
            return self._keys.get(identifier)


class ImageRoots:
    """The folders whose images may be shown, if a gallery lists them.

    Args:
        roots: the folders; none: no image is shown.

    Raises:
        NotADirectoryError: if one does not exist.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        for root in roots:
            if not root.is_dir():
                raise NotADirectoryError(f"--images {root} is not a folder.")
        self._roots = [root.resolve() for root in roots]

    def find(self, entry: Entry) -> Path | None:
        """Find the file of an entry; links are followed before the folder is checked.

        Args:
            entry: from the gallery. A relative path starts at the working directory or at a root.

        Returns:
            The file, or None if there is none inside the folders.
        """
        if not entry.path:
            return None
        for start in (Path(), *self._roots):
            try:
                path = (start / entry.path).resolve(strict=True)
                is_shown = path.is_file() and self._root_of(path) is not None
            except (OSError, ValueError, RuntimeError):
                continue
            if is_shown:
                return path
        return None

    def name(self, entry: Entry, path: Path | None) -> str:
        """Return the name that clients see: the path inside the folder, or the file's name alone.

        Args:
            entry: from the gallery.
            path: result of `find`.
        """
        root = self._root_of(path) if path else None
        return path.relative_to(root).as_posix() if path and root else _last(entry)

    def _root_of(self, path: Path) -> Path | None:
        return next((root for root in self._roots if root in path.parents), None)


def small_picture(path: Path, *, max_pixels: int) -> bytes:
    """Make a small JPEG file of an image, without its metadata.

    Args:
        path: the image.
        max_pixels: the largest image that is read.

    Raises:
        UploadError: if it cannot be read or is too large.
        OSError: if the file cannot be opened.
    """
    with path.open("rb") as file:
        picture = read_picture(path.name, file, max_pixels=max_pixels)
    picture.thumbnail(SIZE)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def _last(entry: Entry) -> str:
    text = (entry.path or entry.key).replace("\\", "/")
    return PurePath(text).name or text
