"""Text for people: names that every stream can print, and lists that stay short."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Names that a message lists.
_LISTED = 5
# Python stands such a code for each byte of a file name that is not UTF-8.
_BYTE_CODES = range(0xDC80, 0xDD00)
_SURROGATES = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Write the bytes of a name that is not UTF-8 as \xc4, so that any stream takes the text.

    Args:
        text: may hold names as ``os.listdir`` gives them.

    Returns:
        The text itself where all of it is Unicode.
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
        names: any number of them.
    """
    ordered = sorted(names)
    shown = ", ".join(str(name) for name in ordered[:_LISTED])
    return shown if len(ordered) <= _LISTED else f"{shown}, ..."
