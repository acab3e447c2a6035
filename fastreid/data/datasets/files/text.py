"""Read text files in the encodings that are found in practice."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

# The byte order marks of UTF-32 begin with those of UTF-16, so they are looked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile("\r\n?")
# In concatenated files, each part may start with a mark.
_INNER_MARKS = re.compile("^\ufeff", re.MULTILINE)


def read_text(path: Path) -> str:
    r"""Read a text file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: path of the file.

    Returns:
        The text, without byte order marks; lines end with "\n".

    Raises:
        ValueError: the file has another encoding or is not text; the message names file and line.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        raise ValueError(
            f"{path} contains zero bytes: it is not text, or UTF-16 without a byte order mark. "
            "Save it as UTF-8."
        )
    try:
        # The pattern for concatenated files also removes the mark of UTF-8.
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(_not_readable(path, content, encoding, error)) from error
    return _INNER_MARKS.sub("", _LINE_ENDS.sub("\n", text))


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file; see `read_text`.

    Args:
        path: path of the file.

    Returns:
        The lines, without line ends.
    """
    return read_text(path).split("\n")


def read_entries(path: Path, dataset: str) -> list[tuple[str, str]]:
    """Read the lines of a list that are not empty.

    Args:
        path: path of the list.
        dataset: name of the data set, for error messages.

    Returns:
        For each line, its place, such as "line 3 of list.txt", and its text without surrounding
        white space.

    Raises:
        ValueError: the list is empty, or not text.
    """
    lines = enumerate(map(str.strip, read_lines(path)), start=1)
    entries = [(f"line {number} of {path}", line) for number, line in lines if line]
    if not entries:
        raise ValueError(f"{dataset}: the list {path} is empty.")
    return entries


def _not_readable(path: Path, content: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    if encoding != "utf-8":
        return f"{path} starts as {encoding.upper()} but is not valid ({error}); save it again."
    before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line = before.count(b"\n") + 1
    found = " ".join(f"{byte:02x}" for byte in content[error.start : error.start + 4])
    return (
        f"Line {line} of {path} is not UTF-8 (it has the bytes {found}): the file is in another "
        "encoding. Save it as UTF-8, for example with `iconv -f GBK -t UTF-8`, where GBK is its "
        "current encoding. If the names of the image files are in it too, rename them."
    )
