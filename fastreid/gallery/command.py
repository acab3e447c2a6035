"""Commands that search: their options, and how they print results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fastreid.utils.command_line.times import time_option

from .interface import Filter, Match


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """Add the options --pid, --camid, --not-camid, --since and --before.

    Args:
        parser: parser of a command that searches.
    """
    parser.add_argument("--pid", action="append", help="only this identity; may be repeated")
    parser.add_argument("--camid", action="append", help="only this camera; may be repeated")
    parser.add_argument("--not-camid", action="append", help="not this camera; may be repeated")
    for name, what in (("--since", "this time or later"), ("--before", "before this time")):
        help_text = f"taken {what}: seconds since 1970, or 2026-05-01T12:00:00+02:00"
        parser.add_argument(name, type=time_option, metavar="TIME", help=help_text)


def filter_of(args: argparse.Namespace) -> Filter:
    """Return which entries a search considers.

    Args:
        args: arguments of the command line, with those of `add_filter_options`.
    """
    return Filter(
        pids=frozenset(args.pid) if args.pid else None,
        camids=frozenset(args.camid) if args.camid else None,
        without_camids=frozenset(args.not_camid or ()),
        since=args.since,
        before=args.before,
    )


def describe_matches(title: str, matches: Sequence[Match]) -> str:
    """Describe the matches of a query in a line each.

    Args:
        title: the query, for the first line.
        matches: the most similar first.
    """
    lines = [title]
    for rank, match in enumerate(matches, start=1):
        entry = match.entry
        labels = f"  id {entry.pid}" * bool(entry.pid) + f"  camera {entry.camid}" * bool(
            entry.camid
        )
        lines.append(f"{rank:4d}  {match.similarity:.4f}  {entry.key}{labels}")
    return "\n".join(lines)
