"""Sheets of pictures with their maps (Pillow only)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fastreid.utils.visualizer.tiles import INK, MUTED, write_text

from .drawing import draw_map
from .pairs import PairExplanation

_HEIGHT = 256
_GAP, _MARGIN, _HEADER, _CAPTION, _NUMBERS = 8, 18, 62, 26, 220


class _Row(NamedTuple):
    """Pictures of one size, their captions, and labelled numbers beside them."""

    pictures: list[np.ndarray]
    captions: list[str]
    numbers: list[tuple[str, float]]


class ShownImage(NamedTuple):
    """An image of a sheet.

    Attributes:
        name: shown below the picture.
        picture: (H, W, 3) uint8, as the model gets it.
    """

    name: str
    picture: np.ndarray


def activation_sheet(images: Sequence[ShownImage], maps: Sequence[np.ndarray]) -> Image.Image:
    """Draw images beside their activation maps, all with one scale of colours.

    Args:
        images: one or more, of one size.
        maps: (h, w) of each, >= 0.

    Returns:
        The sheet.
    """
    least = min(float(each.min()) for each in maps)
    largest = max(float(each.max()) for each in maps) - least
    rows = []
    for image, values in zip(images, maps):
        drawn = draw_map(image.picture, values - least, largest=largest)
        rows.append(_Row([image.picture, drawn], [image.name, ""], []))
    legend = "Red: the longest vectors of the last map; gray: the shortest."
    return _sheet("Activation", legend, rows)


def pair_sheet(
    query: ShownImage, results: Sequence[ShownImage], why: Sequence[PairExplanation]
) -> Image.Image:
    """Draw a query and each result with what their places add to the cosine.

    Args:
        query: the query.
        results: one or more, of the query's size.
        why: the explanation of each result.

    Returns:
        The sheet. Each row has a scale of colours of its own, the same for both images.
    """
    rows = []
    for result, pair in zip(results, why):
        maps = (pair.query_map, pair.gallery_map)
        largest = max(float(np.abs(each).max()) for each in maps)
        pictures = []
        for image, values in zip((query, result), maps):
            pictures += [image.picture, draw_map(image.picture, values, largest=largest)]
        rows.append(_Row(pictures, [query.name, "", result.name, ""], _numbers(pair)))
    return _sheet("Why these images match", "Red adds to the cosine, blue reduces it.", rows)


def _numbers(pair: PairExplanation) -> list[tuple[str, float]]:
    return [
        ("places of the query", float(pair.query_map.sum())),
        ("places of the result", float(pair.gallery_map.sum())),
        ("bias of the neck", pair.bias),
        ("rest", pair.rest),
        ("cosine", pair.cosine),
    ]


def _sheet(title: str, legend: str, rows: Sequence[_Row]) -> Image.Image:
    first = rows[0].pictures[0]
    width, columns = round(_HEIGHT * first.shape[1] / first.shape[0]), len(rows[0].pictures)
    right = _MARGIN + columns * (width + _GAP)
    pitch = _HEIGHT + _CAPTION + _GAP
    total = right + _MARGIN + (_NUMBERS if rows[0].numbers else 0)
    sheet = Image.new("RGB", (max(total, 440), _HEADER + len(rows) * pitch + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    write_text(draw, (_MARGIN, 14), title, 18, INK)
    write_text(draw, (_MARGIN, 38), legend, 13, MUTED)
    for number, (pictures, captions, numbers) in enumerate(rows):
        top = _HEADER + number * pitch
        for column, (pixels, caption) in enumerate(zip(pictures, captions)):
            left = _MARGIN + column * (width + _GAP)
            tile = Image.fromarray(pixels).resize((width, _HEIGHT), Image.Resampling.BICUBIC)
            sheet.paste(tile, (left, top))
            shown = _shortened(caption, 2 * width)
            write_text(draw, (left, top + _HEIGHT + 4), shown, 12, MUTED)
        for line, (label, value) in enumerate(numbers):
            write_text(draw, (right + 8, top + 8 + 22 * line), f"{value:+.3f}", 14, INK)
            write_text(draw, (right + 70, top + 9 + 22 * line), label, 13, MUTED)
    return sheet


def _shortened(text: str, width: int) -> str:
    """Leave out the beginning of a text that is wider than some pixels."""
    font = ImageFont.load_default(size=12)
    shown = text
    while font.getlength(shown) > width and len(text) > 1:
        text = text[1:]
        shown = f"...{text}"
    return shown
