"""Sheets of query images with their top-ranked gallery images; frames mark right and wrong ones."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, UnidentifiedImageError

from ..atomic_file import replacing
from ..labels import UNKNOWN as UNKNOWN_LABEL
from .tiles import (
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
    write_text,
)

HEADER = 64
LABEL_WIDTH = 74
QUERY_GAP = 22

RIGHT, WRONG, QUERY = (24, 145, 82), (208, 48, 48), (60, 66, 76)
JUNK, UNKNOWN = (214, 158, 46), (140, 146, 156)

logger = logging.getLogger(__name__)


class RankedImage(NamedTuple):
    """One image of a ranking.

    Attributes:
        path: path of the image file.
        pid: identity; -1 if identity and camera are unknown.
        camid: camera.
        distance: distance to the query; 0 for the query itself.
        is_junk: whether the image has the identity and the camera of the query and is therefore
            excluded from the scores.
        pid_name: text shown for the identity; "" shows its number.
        camid_name: text shown for the camera; "" shows its number.
        is_found: False if the file is known to be missing.
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
        """Name or number of the identity, "" if unknown."""
        return "" if self.pid == UNKNOWN_LABEL else self.pid_name or str(self.pid)

    @property
    def camera(self) -> str:
        """Name or number of the camera, "" if the identity is unknown."""
        return "" if self.pid == UNKNOWN_LABEL else self.camid_name or str(self.camid)


class RankedQuery(NamedTuple):
    """A query and its top-ranked gallery images.

    Attributes:
        image: the query image.
        ap: average precision in [0, 1]; NaN if unknown.
        gallery: gallery images, nearest first.
    """

    image: RankedImage
    ap: float
    gallery: tuple[RankedImage, ...]


class RankingReport(NamedTuple):
    """The data of an evaluation's plots.

    Attributes:
        cmc: (max_rank,) CMC curve, in [0, 1].
        all_ap: (V,) average precision of each query that has a match.
        num_queries: number of queries, including those without a match.
        queries: the queries to draw, from the best average precision to the worst.
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
    """Draw the queries of a report with their top-ranked images.

    An unreadable image is drawn as a grey tile with a note; one warning in the log counts them.

    Args:
        report: the data of an evaluation.
        output: PNG file to write.
    """
    title = f"Rank-1 {100 * report.cmc[0]:.1f} %    mAP {100 * report.mean_ap:.1f} %"
    shown = f"{len(report.queries)} of {report.num_queries} queries, best to worst AP"
    draw_queries(report.queries, output, title=title, legend=shown)


def draw_queries(
    queries: Sequence[RankedQuery], output: str | Path, *, title: str, legend: str
) -> None:
    """Draw each query in a row with its top-ranked images.

    Frames are green for the query's identity, red for another one, yellow for junk images, which
    are excluded from the scores, and grey if an identity is unknown.

    Args:
        queries: queries from top to bottom.
        output: PNG file to write.
        title: first line of the sheet.
        legend: second line of the sheet; an explanation of the colours is appended.
    """
    columns = max((len(query.gallery) for query in queries), default=0)
    pitch = TILE[0] + 2 * FRAME + GAP
    row_height = TILE[1] + 2 * FRAME + CAPTION + GAP
    width = 2 * MARGIN + LABEL_WIDTH + (columns + 1) * pitch + QUERY_GAP - GAP
    height = HEADER + len(queries) * row_height + MARGIN
    sheet = Image.new("RGB", (max(width, 560), height), WHITE)
    draw = ImageDraw.Draw(sheet)
    write_text(draw, (MARGIN, MARGIN - 4), title, 18, INK)
    colours = _explain_colours(queries)
    write_text(draw, (MARGIN, MARGIN + 20), f"{legend}.  {colours}", 13, MUTED)
    broken = []
    for row, query in enumerate(queries):
        broken += _draw_query(sheet, HEADER + row * row_height, query)
    if broken:
        logger.warning(
            "Cannot show %d images in the rank list %s, first %s", len(broken), output, broken[0]
        )
    with replacing(Path(output)) as temporary:
        sheet.save(temporary)


def _explain_colours(queries: Sequence[RankedQuery]) -> str:
    images = [image for query in queries for image in query.gallery]
    parts = []
    if any(_colour(query.image, image) != UNKNOWN for query in queries for image in query.gallery):
        parts.append("Green: same identity, red: another.")
    if any(image.is_junk for image in images):
        parts.append("Yellow: same identity and camera, does not count.")
    return " ".join([*parts, "d: distance, c: camera."])


def _draw_query(sheet: Image.Image, top: int, query: RankedQuery) -> list[str]:
    """Draw a row and return the unreadable images with the reasons."""
    draw = ImageDraw.Draw(sheet)
    if not math.isnan(query.ap):
        write_text(draw, (MARGIN, top + TILE[1] // 2 - 14), "AP", 13, MUTED)
        write_text(draw, (MARGIN, top + TILE[1] // 2), f"{100 * query.ap:.1f} %", 16, INK)
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
    # A number replaces a name with characters that the font lacks.
    identity = image.identity if is_drawable(image.identity) else f"#{image.pid}"
    camera = image.camera if is_drawable(image.camera) else f"#{image.camid}"
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
    """Draw an image with its frame and caption; return the error if it is unreadable, else ""."""
    fault = ""
    try:
        tile = read_tile(image.path) if image.is_found else empty_tile("not found")
    except (OSError, UnidentifiedImageError) as error:
        tile, fault = empty_tile("unreadable"), f"{image.path}: {error}"
    left, bottom, draw = corner[0], paste_framed(sheet, corner, tile, colour), ImageDraw.Draw(sheet)
    write_text(draw, (left, bottom + 3), lines[0], 13, colour)
    write_text(draw, (left, bottom + 17), *fitted_text(lines[1]), MUTED)
    return fault
