"""Find the images of a folder, and list what else is in it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from fastreid.utils.messages.texts import list_some

# Formats that Pillow registers but that are not photographs: data and films, which it does not
# decode; documents and vector graphics, which need another program; icons.
_NOT_PHOTOGRAPHS = frozenset(
    {"BUFR", "GRIB", "HDF5", "MPEG", "PDF", "EPS", "WMF", "ICO", "CUR", "ICNS"}
)
# Pillow's JPEG reader also reads this format, but does not register its suffix.
_READ_AS_JPEG = "MPO"
# Folders that operating systems and archive programs create.
_SYSTEM_FOLDERS = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
)
# Files that are common in folders of images and are not worth a log message.
_COMPANIONS = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "license", "license.txt"}
    | {"readme", "readme.txt", "readme.md"}
)

HIDDEN = "hidden files and folders"
COMPANION = "system and readme files"
OTHER_SUFFIX = "files without the suffix of an image format"
FOLDER = "folders, which are not searched"
UNREADABLE = "folders that cannot be opened"
LOOP = "links to a folder that contains them"
READ_ALREADY = "links to folders that were already searched"
_QUIET = (HIDDEN, COMPANION)


class PassedOver(NamedTuple):
    """A file, folder or link that was skipped in a search.

    Attributes:
        name: path relative to the searched folder.
        reason: one of this module's constants.
    """

    name: str
    reason: str


class Search(NamedTuple):
    """Result of a search.

    Attributes:
        folder: the searched folder.
        images: paths of the images, sorted.
        passed_over: everything that was skipped, sorted.
    """

    folder: Path
    images: list[Path]
    passed_over: list[PassedOver]

    def describe(self, *, is_quiet: bool = False) -> str:
        """Describe what was skipped, with the first names of each kind; "" if nothing was.

        Args:
            is_quiet: whether to leave out hidden files and system files, such as Thumbs.db.
        """
        names = defaultdict(list)
        for name, reason in self.passed_over:
            if not (is_quiet and reason in _QUIET):
                names[reason].append(name)
        if not names:
            return ""
        kinds = [f"{len(of)} {reason} ({list_some(of)})" for reason, of in names.items()]
        return f"Skipped in {self.folder}: {'; '.join(kinds)}."


def image_suffixes() -> frozenset[str]:
    """Give the suffixes of the supported image formats, in lower case, with their dots.

    These are the formats that the installed Pillow and its plugins can open, except those that are
    not photographs.
    """
    return frozenset(
        suffix.lower()
        for suffix, name in Image.registered_extensions().items()
        if (name in Image.OPEN or name == _READ_AS_JPEG) and name not in _NOT_PHOTOGRAPHS
    )


def find_images(folder: Path) -> list[Path]:
    """List the images of a folder and of all its subfolders, sorted.

    Args:
        folder: path of the folder; if it does not exist, the list is empty.

    Returns:
        Paths of the images; see `search_images` for what is skipped.
    """
    return search_images(folder).images if folder.is_dir() else []


def search_images(folder: Path, *, is_deep: bool = True, suffixes: Collection[str] = ()) -> Search:
    """Find the images of a folder.

    The case of suffixes is ignored. Hidden files and folders are skipped. Links to folders are
    followed after all folders have been searched, in the order of their paths; a link to a folder
    that was already searched, or that contains the link, is skipped.

    Args:
        folder: path of the folder; it must exist.
        is_deep: whether subfolders are searched too, even those with names such as a.jpg.
        suffixes: suffixes of the images, in lower case; none: those of `image_suffixes`.

    Returns:
        The images, and what was skipped.

    Raises:
        OSError: the folder cannot be opened.
    """
    search = _Searching(folder, frozenset(suffixes) or image_suffixes(), is_deep=is_deep)
    search.run()
    images = [folder / name for name in sorted(search.images, key=_parts if is_deep else None)]
    return Search(folder, images, sorted(search.passed_over))


class _Searching:
    """A search in progress; names are relative to the searched folder."""

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
        """Record the images of a folder; return its subfolders that are to be searched."""
        folders: list[str] = []
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
    """Sort key by which paths are compared part by part: a/z comes before a.b/a."""
    return name.split(os.sep)  # noqa: PTH206 - a hundred thousand files


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself is not a folder; an error names it when it is opened as a file.
        return False
