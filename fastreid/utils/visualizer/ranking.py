"""A sheet of queries with the first images of their rankings, right and wrong ones framed."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from ..atomic_file import replacing
from ..labels import UNKNOWN as UNKNOWN_LABEL

TILE = (80, 160)
FRAME = 5
GAP = 8
CAPTION = 34
MARGIN = 18
HEADER = 64
LABEL_WIDTH = 74
QUERY_GAP = 22
LABEL_SIZES = (12, 11, 10, 9)

WHITE, INK, MUTED, PAPER = (255, 255, 255), (30, 34, 40), (105, 112, 122), (230, 232, 236)
RIGHT, WRONG, QUERY = (24, 145, 82), (208, 48, 48), (60, 66, 76)
JUNK, UNKNOWN = (214, 158, 46), (140, 146, 156)

logger = logging.getLogger(__name__)


class RankedImage(NamedTuple):
    """One image of a ranking.

    Attributes:
        path: its file.
        pid: identity; -1: unknown, with its camera.
        camid: camera.
        distance: from the query; 0 for the query itself.
        is_junk: of the query's identity and camera, which does not count.
        pid_name: what to show for the identity; "": its number.
        camid_name: what to show for the camera; "": its number.
        is_found: False: its file was looked for and is not there.
    """

    path: str
    pid: int
    camid: int
    distance: float
    is_junk: bool = False
    pid_name: str = ""
    camid_name: str = ""
    is_found: bool = True

    @property
    def identity(self) -> str:
        """The identity's name or number, "" where it is unknown."""
        return "" if self.pid == UNKNOWN_LABEL else self.pid_name or str(self.pid)

    @property
    def camera(self) -> str:
        """The camera's name or number, "" where the identity is unknown."""
        return "" if self.pid == UNKNOWN_LABEL else self.camid_name or str(self.camid)


class RankedQuery(NamedTuple):
    """A query, its average precision in [0, 1], and its first gallery images, nearest first.

    Attributes:
        image: the query.
        ap: average precision; NaN: not known.
        gallery: what is shown.
    """

    image: RankedImage
    ap: float
    gallery: tuple[RankedImage, ...]


class RankingReport(NamedTuple):
    """What the pictures of an evaluation show.

    Attributes:
        cmc: (max_rank,), in [0, 1].
        all_ap: (V,) average precision of each query that has a match.
        num_queries: queries, those without a match included.
        queries: some of them, from the best average precision to the worst.
    """

    cmc: np.ndarray
    all_ap: np.ndarray
    num_queries: int
    queries: tuple[RankedQuery, ...]

    @property
    def mean_ap(self) -> float:
        """The mAP, in [0, 1]."""
        return float(self.all_ap.mean())


def draw_rank_list(report: RankingReport, output: str | Path) -> None:
    """Draw the queries of a report, each with its first images: green right, red wrong.

    An image that cannot be read becomes a grey tile that says so, with one line in the log for all.

    Args:
        report: of an evaluation.
        output: PNG file to write.
    """
    title = f"Rank-1 {100 * report.cmc[0]:.1f} %    mAP {100 * report.mean_ap:.1f} %"
    shown = f"{len(report.queries)} of {report.num_queries} queries, best to worst AP"
    draw_queries(report.queries, output, title=title, legend=shown)


def draw_queries(
    queries: Sequence[RankedQuery], output: str | Path, *, title: str, legend: str
) -> None:
    """Draw queries, each in a row with its images.

    Frames are green for the query's identity, red for another, yellow for what does not count and
    grey where identities are unknown.

    Args:
        queries: from top to bottom.
        output: PNG file to write.
        title: first line.
        legend: second line; what colours mean follows it.
    """
    columns = max((len(query.gallery) for query in queries), default=0)
    pitch = TILE[0] + 2 * FRAME + GAP
    row_height = TILE[1] + 2 * FRAME + CAPTION + GAP
    width = 2 * MARGIN + LABEL_WIDTH + (columns + 1) * pitch + QUERY_GAP - GAP
    height = HEADER + len(queries) * row_height + MARGIN
    sheet = Image.new("RGB", (max(width, 560), height), WHITE)
    draw = ImageDraw.Draw(sheet)
    _text(draw, (MARGIN, MARGIN - 4), title, 18, INK)
    colours = _meaning_of_colours(queries)
    _text(draw, (MARGIN, MARGIN + 20), f"{legend}.  {colours}", 13, MUTED)
    broken = []
    for row, query in enumerate(queries):
        broken += _draw_query(sheet, HEADER + row * row_height, query)
    if broken:
        logger.warning(
            "Cannot show %d images in the rank list %s, first %s", len(broken), output, broken[0]
        )
    with replacing(Path(output)) as temporary:
        sheet.save(temporary)


def _meaning_of_colours(queries: Sequence[RankedQuery]) -> str:
    images = [image for query in queries for image in query.gallery]
    parts = []
    if any(_colour(query.image, image) != UNKNOWN for query in queries for image in query.gallery):
        parts.append("Green: same identity, red: another.")
    if any(image.is_junk for image in images):
        parts.append("Yellow: same identity and camera, does not count.")
    return " ".join([*parts, "d: distance, c: camera."])


def _draw_query(sheet: Image.Image, top: int, query: RankedQuery) -> list[str]:
    """Draw a row; give the images that cannot be read, with the reason."""
    draw = ImageDraw.Draw(sheet)
    if not math.isnan(query.ap):
        _text(draw, (MARGIN, top + TILE[1] // 2 - 14), "AP", 13, MUTED)
        _text(draw, (MARGIN, top + TILE[1] // 2), f"{100 * query.ap:.1f} %", 16, INK)
    left = MARGIN + LABEL_WIDTH
    lines = ("query", _label(query.image))
    faults = [_draw_tile(sheet, (left, top), query.image, colour=QUERY, lines=lines)]
    for place, image in enumerate(query.gallery, start=1):
        corner = (left + place * (TILE[0] + 2 * FRAME + GAP) + QUERY_GAP, top)
        lines = (f"{place}   d {image.distance:.3f}", _label(image))
        colour = _colour(query.image, image)
        faults.append(_draw_tile(sheet, corner, image, colour=colour, lines=lines))
    return [fault for fault in faults if fault]


def _label(image: RankedImage) -> str:
    if not image.identity:
        return ""
    # Names that the font cannot draw would be rows of boxes.
    identity = image.identity if _is_drawable(image.identity) else f"#{image.pid}"
    camera = image.camera if _is_drawable(image.camera) else f"#{image.camid}"
    return f"id {identity}  c{'' if camera[0] in '-0123456789#' else ' '}{camera}"


def _colour(query: RankedImage, image: RankedImage) -> tuple[int, int, int]:
    if image.is_junk:
        return JUNK
    if UNKNOWN_LABEL in (query.pid, image.pid):
        return UNKNOWN
    return RIGHT if image.pid == query.pid else WRONG


def _draw_tile(
    sheet: Image.Image,
    corner: tuple[int, int],
    image: RankedImage,
    *,
    colour: tuple[int, int, int],
    lines: tuple[str, str],
) -> str:
    """Draw an image with its frame and lines; give what is wrong with its file, if anything."""
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    right, bottom = left + TILE[0] + 2 * FRAME - 1, top + TILE[1] + 2 * FRAME - 1
    draw.rectangle((left, top, right, bottom), fill=colour)
    fault = ""
    try:
        tile = _read_tile(image.path) if image.is_found else _empty_tile("not found")
    except (OSError, UnidentifiedImageError) as error:
        tile, fault = _empty_tile("unreadable"), f"{image.path}: {error}"
    sheet.paste(tile, (left + FRAME, top + FRAME))
    _text(draw, (left, bottom + 3), lines[0], 13, colour)
    _text(draw, (left, bottom + 17), *_fitted(lines[1]), MUTED)
    return fault


def _empty_tile(text: str) -> Image.Image:
    tile = Image.new("RGB", TILE, PAPER)
    _text(ImageDraw.Draw(tile), (4, TILE[1] // 2 - 7), text, 11, MUTED)
    return tile


def _read_tile(path: str) -> Image.Image:
    """Fit an image into a tile without changing its proportions."""
    tile = Image.new("RGB", TILE, PAPER)
    with Image.open(path) as file:
        image = file.convert("RGB")
    scale = min(TILE[0] / image.width, TILE[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    fitted = image.resize(size, Image.Resampling.BICUBIC)
    tile.paste(fitted, ((TILE[0] - size[0]) // 2, (TILE[1] - size[1]) // 2))
    return tile


def _text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
) -> None:
    draw.text(corner, text, fill=colour, font=ImageFont.load_default(size=size))


def _fitted(text: str) -> tuple[str, int]:
    """Choose the largest size that fits under a tile; from a longer text, take out the middle."""
    width = TILE[0] + 2 * FRAME + GAP - 2
    for size in LABEL_SIZES:
        font = ImageFont.load_default(size=size)
        if font.getlength(text) <= width:
            return text, size
    short, kept = text, len(text)
    while font.getlength(short) > width and kept > 2:
        kept -= 1
        short = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
    return short, size


def _is_drawable(text: str) -> bool:
    """Tell whether the font has every character; it draws one box for all that it lacks."""
    font = ImageFont.load_default(size=12)
    box = bytes(font.getmask("\U0010ffff"))
    return all(not c.isspace() and bytes(font.getmask(c)) != box for c in text if c != " ")
