"""Find and read the files of a data set, as people and their programs write them."""

from __future__ import annotations

import codecs
import logging
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PureWindowsPath

from fastreid.utils.messages.texts import list_some

from .image_search import Search, search_images

logger = logging.getLogger(__name__)


class MissingPartError(FileNotFoundError):
    """A folder or list of a data set is not there, such as that of a split."""


_HELP = "datasets/README.md shows how the folder must look."
# Short texts in another encoding may happen to be valid UTF-8.
_OTHER_ENCODING = " Or is the list in another encoding than UTF-8?"
# The marks of UTF-32 begin with those of UTF-16, so they are looked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile("\r\n?")
# Files that were joined have a mark at the beginning of each.
_INNER_MARKS = re.compile("^\ufeff", re.MULTILINE)


def require_root(root: str | Path) -> Path:
    """Check the folder that holds the data sets.

    Args:
        root: value of FASTREID_DATASETS, "datasets" by default; "~" is the home directory.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: it does not exist.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The data root {folder} is not a folder. Set FASTREID_DATASETS to the folder that "
            f"holds the data sets; {_HELP}"
        )
    return folder


def require_folder(folder: Path, dataset: str) -> Path:
    """Check a folder of a data set.

    Args:
        folder: it must exist.
        dataset: name of the data set, for the message.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: it does not exist.
    """
    if not folder.is_dir():
        raise MissingPartError(
            f"{dataset}: the folder {folder} is missing (FASTREID_DATASETS is the folder above the "
            f"data sets). {_HELP}"
        )
    return folder


def require_file(path: Path, dataset: str) -> Path:
    """Check a file of a data set, such as a list of images.

    Args:
        path: it must exist.
        dataset: name of the data set, for the message.

    Returns:
        The path.

    Raises:
        FileNotFoundError: it does not exist.
    """
    if not path.is_file():
        raise MissingPartError(f"{dataset}: the file {path} is missing. {_HELP}")
    return path


def list_images(folder: Path, dataset: str, *, suffixes: Collection[str] = ()) -> Search:
    """List the images of a folder, sorted by name.

    Args:
        folder: not searched deeper.
        dataset: name of the data set, for messages.
        suffixes: lower case; none: those of every image format.

    Returns:
        The images, and what was passed over.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no images.
    """
    found = search_images(require_folder(folder, dataset), is_deep=False, suffixes=suffixes)
    if not found.images:
        passed_over = found.describe()
        kind = "/".join(sorted(suffixes)) if suffixes else "images"
        raise ValueError(
            f"{dataset}: the folder {folder} has no {kind}. "
            f"{passed_over + ' ' if passed_over else ''}{_HELP}"
        )
    return found


def read_text(path: Path) -> str:
    r"""Read a text file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: of the file.

    Returns:
        Its text, without byte order marks, with "\n" at the end of every line.

    Raises:
        ValueError: it is in another encoding, or no text; the message names file and line.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        raise ValueError(
            f"{path} holds zero bytes: it is no text, or UTF-16 without a byte order mark. Save it "
            "as UTF-8."
        )
    try:
        # The mark of UTF-8 goes with those of joined files.
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(_not_readable(path, content, encoding, error)) from error
    return _INNER_MARKS.sub("", _LINE_ENDS.sub("\n", text))


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file; see `read_text`.

    Args:
        path: of the file.

    Returns:
        Lines without their ends; the first one is line 1.
    """
    return read_text(path).split("\n")


def _not_readable(path: Path, content: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    if encoding != "utf-8":
        return f"{path} begins as {encoding.upper()} but ends otherwise ({error}); save it again."
    before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line = before.count(b"\n") + 1
    found = " ".join(f"{byte:02x}" for byte in content[error.start : error.start + 4])
    return (
        f"Line {line} of {path} is not UTF-8 (it has the bytes {found}): the file is in another "
        "encoding. Save it as UTF-8, for example with `iconv -f GBK -t UTF-8`, where GBK is its "
        "present encoding. If the names of the image files are in it too, rename them."
    )


def listed_path(folder: Path, name: str, *, place: str) -> Path:
    """Find where an entry of a list points to.

    Args:
        folder: that relative names start from.
        name: as written; where no file has that name, backslashes separate folders.
        place: of the entry, such as "line 3 of list.csv", for the message.

    Returns:
        The path; it need not exist.

    Raises:
        ValueError: it is an absolute path of Windows, and this is another system.
    """
    if "\\" not in name and ":" not in name:
        return folder / name
    path = folder / name
    if os.name == "nt" or path.is_file():
        return path
    if PureWindowsPath(name).is_absolute():
        raise ValueError(
            f"The path {name} in {place} is one of a computer with Windows. Write it relative to "
            f"{folder}."
        )
    return folder / name.replace("\\", "/")


def require_images(paths: Sequence[Path], dataset: str, list_file: Path) -> list[Path]:
    """Find the images of a list.

    An image that is not there is looked for under the same name with another suffix of an image
    format, such as .JPG or .png for .jpg, and with accents written otherwise, as macOS does.

    Args:
        paths: as they are listed.
        dataset: name of the data set, for messages.
        list_file: where they are listed.

    Returns:
        The images, in the same order.

    Raises:
        FileNotFoundError: the first one that does not exist, and how many more there are.
    """
    # Folders and broken files are there: the check of files names them.
    missing = {path for path in paths if not path.exists()}
    if not missing:
        return list(paths)
    found = _under_similar_names(missing)
    lost = [path for path in paths if path in missing and path not in found]
    if lost:
        raise FileNotFoundError(
            f"{dataset}: the image {lost[0]}, listed in {list_file}, does not exist "
            f"({len(lost)} listed images are missing). Is the data set unpacked completely?"
            f"{'' if str(lost[0]).isascii() else _OTHER_ENCODING}"
        )
    pairs = [f"{path.name} is {found[path].name}" for path in missing]
    logger.info(
        "%s: %d images of %s are there under similar names (%s)",
        *(dataset, len(missing), list_file, list_some(pairs)),
    )
    return [found.get(path, path) for path in paths]


def _under_similar_names(missing: Iterable[Path]) -> dict[Path, Path]:
    """Each missing image for which exactly one file comes into question, with that file."""
    of_folder = defaultdict(list)
    for path in missing:
        of_folder[path.parent].append(path)
    found = {}
    for folder, paths in of_folder.items():
        candidates = defaultdict(list)
        if folder.is_dir():
            for image in search_images(folder, is_deep=False).images:
                candidates[_without_suffix(image)].append(image)
        for path in paths:
            if len(candidates[_without_suffix(path)]) == 1:
                found[path] = candidates[_without_suffix(path)][0]
    return found


def _without_suffix(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)
