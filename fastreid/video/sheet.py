"""A contact sheet: each query in a row, with what a gallery has that is similar."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, UnidentifiedImageError

from fastreid.gallery import Match
from fastreid.utils.atomic_file import replacing
from fastreid.utils.visualizer.tiles import (
    CAPTION,
    FRAME,
    GAP,
    INK,
    MARGIN,
    MUTED,
    TILE,
    WHITE,
    empty_tile,
    fitted_text,
    is_drawable,
    paste_framed,
    read_tile,
    tile_of,
    write_text,
)

from .people import FoundPerson

_HEADER = 44
_BETWEEN = 22
_NARROWEST = 360
_QUERY, _MATCH = (60, 66, 76), (140, 146, 156)
_PITCH = TILE[0] + 2 * FRAME + GAP
_ROW = TILE[1] + 2 * FRAME + CAPTION + GAP
# Pillow can read larger sheets, but other programs cannot.
_MOST_ROWS = 200

logger = logging.getLogger(__name__)


def draw_sheet(people: Sequence[FoundPerson], output: Path, *, title: str) -> None:
    """Draw queries with their matches.

    Args:
        people: what was found, from top to bottom; what comes after the 200th is left out, with a
            warning.
        output: the image file to write.
        title: first line of the sheet.
    """
    if len(people) > _MOST_ROWS:
        logger.warning("%s shows the first %d of %d queries.", output, _MOST_ROWS, len(people))
        people = people[:_MOST_ROWS]
    shown = max((len(found.person.pictures) for found in people), default=0)
    matches = max((len(found.matches) for found in people), default=0)
    width = 2 * MARGIN + (shown + matches) * _PITCH + _BETWEEN
    size = max(width, _NARROWEST), _HEADER + len(people) * _ROW + MARGIN
    sheet = Image.new("RGB", size, WHITE)
    write_text(ImageDraw.Draw(sheet), (MARGIN, MARGIN - 4), title, 18, INK)
    faults = []
    for row, found in enumerate(people):
        faults += _draw_row(sheet, _HEADER + row * _ROW, found, shown)
    if faults:
        logger.warning("Cannot show %d images in %s, first %s", len(faults), output, faults[0])
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary:
        sheet.save(temporary)


def _draw_row(sheet: Image.Image, top: int, found: FoundPerson, shown: int) -> list[str]:
    """Draw a row, and return the images that cannot be read."""
    for column, picture in enumerate(found.person.pictures):
        lines = (found.person.name if column == 0 else "", "")
        _draw_tile(sheet, (MARGIN + column * _PITCH, top), tile_of(picture), _QUERY, lines)
    start = MARGIN + shown * _PITCH + _BETWEEN
    faults = []
    for column, match in enumerate(found.matches):
        tile, fault = _tile_of_match(match)
        faults += [fault] * bool(fault)
        lines = (f"{column + 1}   {match.similarity:.3f}", _label(match))
        _draw_tile(sheet, (start + column * _PITCH, top), tile, _MATCH, lines)
    return faults


def _tile_of_match(match: Match) -> tuple[Image.Image, str]:
    path = match.entry.path
    if not path:
        return empty_tile("no image"), ""
    try:
        return read_tile(path), ""
    except FileNotFoundError:
        return empty_tile("not found"), path
    except (OSError, UnidentifiedImageError, ValueError) as error:
        return empty_tile("unreadable"), f"{path}: {error}"


def _label(match: Match) -> str:
    entry = match.entry
    words = [f"id {entry.pid}"] * bool(entry.pid) + [f"c {entry.camid}"] * bool(entry.camid)
    text = "  ".join(words) or Path(entry.key).name
    return text if is_drawable(text) else "?"


def _draw_tile(
    sheet: Image.Image,
    corner: tuple[int, int],
    tile: Image.Image,
    colour: tuple[int, int, int],
    lines: tuple[str, str],
) -> None:
    bottom = paste_framed(sheet, corner, tile, colour)
    for line, offset in zip(lines, (3, 17)):
        text, size = fitted_text(line)
        write_text(ImageDraw.Draw(sheet), (corner[0], bottom + offset), text, size, MUTED)
