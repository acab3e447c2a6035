"""A sheet of queries with the first images of their rankings, right and wrong ones framed."""

from __future__ import annotations

import logging
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

logger = logging.getLogger(__name__)


class RankedImage(NamedTuple):
    """One image of a ranking.

    Attributes:
        path: its file.
        pid: identity.
        camid: camera.
        distance: from the query; 0 for the query itself.
    """

    path: str
    pid: int
    camid: int
    distance: float


class RankedQuery(NamedTuple):
    """A query, its average precision in [0, 1], and its first gallery images, nearest first.

    Attributes:
        image: the query.
        ap: average precision.
        gallery: images of its identity from its own camera are not among them.
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
    columns = max((len(query.gallery) for query in report.queries), default=0)
    pitch = TILE[0] + 2 * FRAME + GAP
    row_height = TILE[1] + 2 * FRAME + CAPTION + GAP
    width = 2 * MARGIN + LABEL_WIDTH + (columns + 1) * pitch + QUERY_GAP - GAP
    height = HEADER + len(report.queries) * row_height + MARGIN
    sheet = Image.new("RGB", (max(width, 560), height), WHITE)
    draw = ImageDraw.Draw(sheet)
    _draw_header(draw, report)
    for row, query in enumerate(report.queries):
        top = HEADER + row * row_height
        _text(draw, (MARGIN, top + TILE[1] // 2 - 14), "AP", 13, MUTED)
        _text(draw, (MARGIN, top + TILE[1] // 2), f"{100 * query.ap:.1f} %", 16, INK)
        left = MARGIN + LABEL_WIDTH
        lines = ("query", f"id {query.image.pid}  c{query.image.camid}")
        _draw_tile(sheet, (left, top), query.image, colour=QUERY, lines=lines)
        for place, image in enumerate(query.gallery, start=1):
            is_right = image.pid == query.image.pid
            lines = (f"{place}   d {image.distance:.3f}", f"id {image.pid}  c{image.camid}")
            _draw_tile(
                sheet,
                (left + place * pitch + QUERY_GAP, top),
                image,
                colour=RIGHT if is_right else WRONG,
                lines=lines,
            )
    sheet.save(output)


def _draw_header(draw: ImageDraw.ImageDraw, report: RankingReport) -> None:
    title = f"Rank-1 {100 * report.cmc[0]:.1f} %    mAP {100 * report.mean_ap:.1f} %"
    _text(draw, (MARGIN, MARGIN - 4), title, 18, INK)
    shown = f"{len(report.queries)} of {report.num_queries} queries, best to worst AP"
    legend = f"{shown}.  Green: same identity, red: another.  d: distance, c: camera."
    _text(draw, (MARGIN, MARGIN + 20), legend, 13, MUTED)


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
