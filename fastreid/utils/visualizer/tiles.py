"""Parts of a sheet of pictures: tiles of one size, and texts that fit under them."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

TILE = (80, 160)
FRAME = 5
GAP = 8
CAPTION = 34
MARGIN = 18
_LABEL_SIZES = (12, 11, 10, 9)

WHITE, INK, MUTED, PAPER = (255, 255, 255), (30, 34, 40), (105, 112, 122), (230, 232, 236)


def empty_tile(text: str) -> Image.Image:
    """Return a grey tile.

    Args:
        text: what is written on it.
    """
    tile = Image.new("RGB", TILE, PAPER)
    write_text(ImageDraw.Draw(tile), (4, TILE[1] // 2 - 7), text, 11, MUTED)
    return tile


def read_tile(path: str) -> Image.Image:
    """Read an image as a tile.

    Args:
        path: the image file.

    Raises:
        OSError: it cannot be read.
    """
    with Image.open(path) as file:
        return tile_of(file.convert("RGB"))


def tile_of(image: Image.Image) -> Image.Image:
    """Scale an image to fit into a tile, keeping its aspect ratio.

    Args:
        image: RGB.
    """
    tile = Image.new("RGB", TILE, PAPER)
    scale = min(TILE[0] / image.width, TILE[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    fitted = image.resize(size, Image.Resampling.BICUBIC)
    tile.paste(fitted, ((TILE[0] - size[0]) // 2, (TILE[1] - size[1]) // 2))
    return tile


def paste_framed(
    sheet: Image.Image, corner: tuple[int, int], tile: Image.Image, colour: tuple[int, int, int]
) -> int:
    """Paste a tile with a frame around it.

    Args:
        sheet: receives both.
        corner: left and top of the frame.
        tile: of the size `TILE`.
        colour: of the frame.

    Returns:
        The lowest row of the frame; captions start below it.
    """
    left, top = corner
    right, bottom = left + TILE[0] + 2 * FRAME - 1, top + TILE[1] + 2 * FRAME - 1
    ImageDraw.Draw(sheet).rectangle((left, top, right, bottom), fill=colour)
    sheet.paste(tile, (left + FRAME, top + FRAME))
    return bottom


def write_text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
) -> None:
    """Write a line of text.

    Args:
        draw: the sheet.
        corner: left and top.
        text: the line.
        size: height of the font in pixels.
        colour: red, green, blue.
    """
    draw.text(corner, text, fill=colour, font=ImageFont.load_default(size=size))


def fitted_text(text: str) -> tuple[str, int]:
    """Choose the largest font size that fits under a tile; shorten long texts in the middle.

    Args:
        text: a line.

    Returns:
        The line and the size.
    """
    width = TILE[0] + 2 * FRAME + GAP - 2
    for size in _LABEL_SIZES:
        font = ImageFont.load_default(size=size)
        if font.getlength(text) <= width:
            return text, size
    short, kept = text, len(text)
    while font.getlength(short) > width and kept > 2:
        kept -= 1
        short = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
    return short, size


def is_drawable(text: str) -> bool:
    """Return whether the font has every character; missing ones are all drawn as the same box.

    Args:
        text: a line.
    """
    font = ImageFont.load_default(size=12)
    box = bytes(font.getmask("\U0010ffff"))
    return all(not c.isspace() and bytes(font.getmask(c)) != box for c in text if c != " ")
