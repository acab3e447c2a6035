"""Formatting of messages: printable file names and short lists."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Maximum number of names that a message lists.
_LISTED = 5
# Python represents each byte of a file name that is not valid UTF-8 by one of these codes.
_BYTE_CODES = range(0xDC80, 0xDD00)
_SURROGATES = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Escape the bytes of file names that are not valid UTF-8, as in \xc4, to make them printable.

    Args:
        text: may contain names as ``os.listdir`` returns them.

    Returns:
        The escaped text; the text itself if all of it is valid Unicode.
    """
    return text if text.isascii() else _SURROGATES.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _BYTE_CODES:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}"


def list_some(names: Iterable) -> str:
    """List the first few names, sorted.

    Args:
        names: any number of names.

    Examples:
        >>> from fastreid.utils.messages.texts import list_some
        >>> list_some(["b", "a"]), list_some(range(100))
        ('a, b', '0, 1, 2, 3, 4, ...')
    """
    ordered = sorted(names)
    shown = ", ".join(str(name) for name in ordered[:_LISTED])
    return shown if len(ordered) <= _LISTED else f"{shown}, ..."
