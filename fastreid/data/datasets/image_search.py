"""Find the images of a folder, and say what else lies in it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from fastreid.utils.messages.texts import list_some

# Formats that Pillow knows but that hold no picture of a person: data and films, which it names but
# does not decode; page and vector graphics, which another program has to draw; icons of programs.
_NO_PICTURES = frozenset(
    {"BUFR", "GRIB", "HDF5", "MPEG", "PDF", "EPS", "WMF", "ICO", "CUR", "ICNS"}
)
# Pillow's reader of JPEG files reads these too, without claiming their suffix.
_READ_AS_JPEG = "MPO"
# Folders that systems and archivers make beside the images.
_SYSTEM_FOLDERS = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
)
# Files that are at home in a folder of images and need no word in the log.
_COMPANIONS = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "license", "license.txt"}
    | {"readme", "readme.txt", "readme.md"}
)

HIDDEN = "hidden files and folders"
COMPANION = "files that go with folders"
OTHER_SUFFIX = "files whose suffix is of no image format"
FOLDER = "folders, which are not searched here"
UNREADABLE = "folders that cannot be opened"
LOOP = "links that lead back to a folder above them"
READ_ALREADY = "links to folders that are read already"
_QUIET = (HIDDEN, COMPANION)


class PassedOver(NamedTuple):
    """A file, folder or link that no image was read from.

    Attributes:
        name: relative to the folder that was searched.
        reason: one of this module's constants.
    """

    name: str
    reason: str


class Search(NamedTuple):
    """What a search found.

    Attributes:
        folder: that was searched.
        images: sorted by path.
        passed_over: everything else, sorted.
    """

    folder: Path
    images: list[Path]
    passed_over: list[PassedOver]

    def describe(self, *, is_quiet: bool = False) -> str:
        """Say what was passed over, with the first names of each kind; "" for nothing.

        Args:
            is_quiet: leave out hidden files and the usual companions, such as Thumbs.db.
        """
        names = defaultdict(list)
        for name, reason in self.passed_over:
            if not (is_quiet and reason in _QUIET):
                names[reason].append(name)
        if not names:
            return ""
        told = "; ".join(f"{len(of)} {reason} ({list_some(of)})" for reason, of in names.items())
        return f"Passed over in {self.folder}: {told}."


def image_suffixes() -> frozenset[str]:
    """Give the suffixes of the image formats that are read, in lower case, with their dots.

    These are the formats that the installed Pillow can open, those of plugins included, without
    the ones that hold no picture of a person.
    """
    return frozenset(
        suffix.lower()
        for suffix, name in Image.registered_extensions().items()
        if (name in Image.OPEN or name == _READ_AS_JPEG) and name not in _NO_PICTURES
    )


def find_images(folder: Path) -> list[Path]:
    """List the images of a folder and of all folders in it, sorted.

    Args:
        folder: it may be missing: then there are none.

    Returns:
        Their paths; see `search_images` for what is passed over.
    """
    return search_images(folder).images if folder.is_dir() else []


def search_images(folder: Path, *, is_deep: bool = True, suffixes: Collection[str] = ()) -> Search:
    """Find the images of a folder.

    Suffixes are compared in any case. Hidden files and folders are passed over. Links to folders
    are followed once: folders come first, links after them in the order of their paths, and a link
    to a folder that was searched already, or that lies above it, is passed over.

    Args:
        folder: it must exist.
        is_deep: search the folders in it too, also those with names such as a.jpg.
        suffixes: lower case; none: those of `image_suffixes`.

    Returns:
        Images and the rest.

    Raises:
        OSError: the folder cannot be opened.
    """
    search = _Searching(folder, frozenset(suffixes) or image_suffixes(), is_deep=is_deep)
    search.run()
    images = [folder / name for name in sorted(search.images, key=_parts if is_deep else None)]
    return Search(folder, images, sorted(search.passed_over))


class _Searching:
    """One search; names are relative to its folder."""

    def __init__(self, folder: Path, suffixes: Collection[str], *, is_deep: bool) -> None:
        self.images: list[str] = []
        self.passed_over: list[PassedOver] = []
        self._folder = folder
        self._suffixes = suffixes
        self._is_deep = is_deep
        self._links: list[str] = []
        self._seen: set[tuple[int, int]] = set()

    def run(self) -> None:
        self._walk("")
        while self._links:
            links, self._links = sorted(self._links, key=_parts), []
            for link in links:
                self._follow(link)

    def _walk(self, top: str) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            path = self._folder / folder
            status = path.stat()
            if (status.st_dev, status.st_ino) in self._seen:
                self._pass_over(folder, READ_ALREADY)
                continue
            self._seen.add((status.st_dev, status.st_ino))
            try:
                with os.scandir(path) as entries:
                    waiting += self._sort_out(entries, f"{folder}{os.sep}" if folder else "")
            except PermissionError:
                if not folder:
                    raise
                self._pass_over(folder, UNREADABLE)

    def _sort_out(self, entries: Iterable[os.DirEntry], above: str) -> list[str]:
        """Take in what a folder holds; give the folders in it that are to be searched."""
        folders = []
        for entry in entries:
            name = above + entry.name
            if entry.name.startswith("."):
                self._pass_over(name, HIDDEN)
            elif _is_folder(entry):
                self._take_folder(name, entry, folders)
            elif os.path.splitext(entry.name)[1].lower() in self._suffixes:  # noqa: PTH122
                self.images.append(name)
            else:
                is_companion = entry.name.lower() in _COMPANIONS
                self._pass_over(name, COMPANION if is_companion else OTHER_SUFFIX)
        return folders

    def _take_folder(self, name: str, entry: os.DirEntry, folders: list[str]) -> None:
        if entry.name.lower() in _SYSTEM_FOLDERS:
            self._pass_over(name, HIDDEN)
        elif not self._is_deep:
            self._pass_over(name, FOLDER)
        elif entry.is_symlink():
            self._links.append(name)
        else:
            folders.append(name)

    def _follow(self, link: str) -> None:
        path = self._folder / link
        target, above = path.resolve(), path.parent.resolve()
        root = self._folder.resolve()
        if target in (above, *above.parents, root, *root.parents):
            self._pass_over(link, LOOP)
        else:
            self._walk(link)

    def _pass_over(self, name: str, reason: str) -> None:
        self.passed_over.append(PassedOver(name, reason))


def _parts(name: str) -> list[str]:
    """Paths are compared part by part: a/z comes before a.b/a."""
    return name.split(os.sep)  # noqa: PTH206 - a hundred thousand files


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself is no folder; whoever opens it as a file names it.
        return False
