"""A sheet of queries with the first images of their rankings, right and wrong ones framed."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

TILE = (80, 160)
FRAME = 5
GAP = 8
CAPTION = 34
MARGIN = 18
HEADER = 64
LABEL_WIDTH = 74
QUERY_GAP = 22

WHITE, INK, MUTED, PAPER = (255, 255, 255), (30, 34, 40), (105, 112, 122), (230, 232, 236)
RIGHT, WRONG, QUERY = (24, 145, 82), (208, 48, 48), (60, 66, 76)
JUNK, UNKNOWN = (214, 158, 46), (140, 146, 156)

logger = logging.getLogger(__name__)


class RankedImage(NamedTuple):
    """One image of a ranking.

    Attributes:
        path: its file.
        pid: identity; negative: unknown.
        camid: camera; negative: unknown.
        distance: from the query; 0 for the query itself.
        is_junk: of the query's identity and camera, which does not count.
    """

    path: str
    pid: int
    camid: int
    distance: float
    is_junk: bool = False


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

    An image that cannot be read becomes a grey tile, with one line in the log.

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
    for row, query in enumerate(queries):
        _draw_query(sheet, HEADER + row * row_height, query)
    sheet.save(output)


def _meaning_of_colours(queries: Sequence[RankedQuery]) -> str:
    images = [image for query in queries for image in query.gallery]
    parts = []
    if any(_colour(query.image, image) != UNKNOWN for query in queries for image in query.gallery):
        parts.append("Green: same identity, red: another.")
    if any(image.is_junk for image in images):
        parts.append("Yellow: same identity and camera, does not count.")
    return " ".join([*parts, "d: distance, c: camera."])


def _draw_query(sheet: Image.Image, top: int, query: RankedQuery) -> None:
    draw = ImageDraw.Draw(sheet)
    if not math.isnan(query.ap):
        _text(draw, (MARGIN, top + TILE[1] // 2 - 14), "AP", 13, MUTED)
        _text(draw, (MARGIN, top + TILE[1] // 2), f"{100 * query.ap:.1f} %", 16, INK)
    left = MARGIN + LABEL_WIDTH
    lines = ("query", _label(query.image))
    _draw_tile(sheet, (left, top), query.image, colour=QUERY, lines=lines)
    for place, image in enumerate(query.gallery, start=1):
        corner = (left + place * (TILE[0] + 2 * FRAME + GAP) + QUERY_GAP, top)
        lines = (f"{place}   d {image.distance:.3f}", _label(image))
        _draw_tile(sheet, corner, image, colour=_colour(query.image, image), lines=lines)


def _label(image: RankedImage) -> str:
    return "" if image.pid < 0 else f"id {image.pid}  c{image.camid}"


def _colour(query: RankedImage, image: RankedImage) -> tuple[int, int, int]:
    if image.is_junk:
        return JUNK
    if query.pid < 0 or image.pid < 0:
        return UNKNOWN
    return RIGHT if image.pid == query.pid else WRONG


def _draw_tile(
    sheet: Image.Image,
    corner: tuple[int, int],
    image: RankedImage,
    *,
    colour: tuple[int, int, int],
    lines: tuple[str, str],
) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    right, bottom = left + TILE[0] + 2 * FRAME - 1, top + TILE[1] + 2 * FRAME - 1
    draw.rectangle((left, top, right, bottom), fill=colour)
    sheet.paste(_read_tile(image.path), (left + FRAME, top + FRAME))
    _text(draw, (left, bottom + 3), lines[0], 13, colour)
    _text(draw, (left, bottom + 17), lines[1], 12, MUTED)


def _read_tile(path: str) -> Image.Image:
    """Fit an image into a tile without changing its proportions."""
    tile = Image.new("RGB", TILE, PAPER)
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        logger.warning("Cannot show %s in the rank list: %s", path, error)
        return tile
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
