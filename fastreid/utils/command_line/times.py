"""Points in time on the command line."""

from __future__ import annotations

import argparse
import math
from datetime import datetime


def parse_time(word: str) -> float:
    """Read a point in time.

    Args:
        word: seconds since 1970-01-01 00:00 UTC, or a date and time of ISO 8601. One without an
            offset such as Z or +02:00 is the local time of this machine.

    Returns:
        Seconds since 1970-01-01 00:00 UTC.

    Raises:
        ValueError: it is neither.

    Examples:
        >>> from fastreid.utils.command_line.times import parse_time
        >>> parse_time("1970-01-02T00:00:01Z")
        86401.0
        >>> parse_time("12.5")
        12.5
    """
    try:
        seconds = float(word)
    except ValueError:
        seconds = _seconds_of(word.strip())
    if not math.isfinite(seconds):
        raise ValueError(f"{word!r} is not a time: it is not finite.")
    return seconds


def _seconds_of(word: str) -> float:
    # Before Python 3.11, `fromisoformat` does not take the Z.
    iso = f"{word[:-1]}+00:00" if word.endswith(("Z", "z")) else word
    try:
        return datetime.fromisoformat(iso).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{word!r} is not a time; give seconds since 1970, or a time such as "
            "2026-05-01T12:00:00+02:00."
        ) from error


def time_option(word: str) -> float:
    """Read a point in time; for ``type=`` of argparse. See `parse_time`."""
    try:
        return parse_time(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
