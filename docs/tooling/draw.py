"""Draw the pictures of docs/how_it_works as SVG files into docs/images.

    python docs/tooling/draw.py

`--check` writes nothing and exits with 1 if a picture is not up to date.
A picture has a light background of its own, so that it can be read on light and dark pages.
"""

from __future__ import annotations

import argparse
import sys
from enum import Enum
from html import escape
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "images"
WIDTH, HEIGHT = 110, 50


class Kind(Enum):
    """What a box stands for, with its fill and its frame."""

    DATA = ("#e6eefb", "#2f5597")
    LEARNED = ("#fdebd0", "#b35c00")
    STEP = ("#ffffff", "#555555")


class Box(NamedTuple):
    """A box with one to three lines of text; x and y of its upper left corner."""

    x: int
    y: int
    lines: tuple[str, ...]
    kind: Kind = Kind.STEP
    width: int = WIDTH


class Arrow(NamedTuple):
    """A line through points, with a head at its end and a label beside its first half."""

    points: tuple[tuple[int, int], ...]
    label: str = ""


class Picture(NamedTuple):
    """Size, title, boxes and arrows."""

    width: int
    height: int
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def right(first: Box, second: Box, label: str = "") -> Arrow:
    """An arrow to a box at the right, at the height of the first box."""
    y = first.y + HEIGHT // 2
    return Arrow(((first.x + first.width, y), (second.x, y)), label)


def down(first: Box, second: Box, label: str = "") -> Arrow:
    """An arrow to a box below, or above, at the middle of the first box."""
    x = first.x + first.width // 2
    is_below = second.y > first.y
    start = first.y + (HEIGHT if is_below else 0)
    return Arrow(((x, start), (x, second.y + (0 if is_below else HEIGHT))), label)


def bend(first: Box, second: Box, *, at: int) -> Arrow:
    """An arrow to the right that changes its height at x = `at`."""
    y, end = first.y + HEIGHT // 2, second.y + HEIGHT // 2
    return Arrow(((first.x + first.width, y), (at, y), (at, end), (second.x, end)))


def router() -> Picture:
    """HyperRouter: the weights of the adaptors from a pooled feature."""
    x = Box(15, 130, ("x", "(N, C, H, W)"), Kind.DATA)
    mean = Box(150, 130, ("mean over", "the map"))
    pooled = Box(285, 130, ("pooled", "(N, C)"), Kind.DATA)
    fc1 = Box(420, 35, ("fc1", "C to C / 16"), Kind.LEARNED)
    unit = Box(555, 35, ("unit length,", "ReLU"))
    fc2 = Box(690, 35, ("fc2", "C / 16 to C K"), Kind.LEARNED)
    product = Box(690, 130, ("product",))
    softmax = Box(825, 130, ("softmax",))
    weights = Box(960, 130, ("weights", "(N, K)"), Kind.DATA)
    up = Arrow(((340, 130), (340, 60), (420, 60)))
    arrows = (right(x, mean), right(mean, pooled), up, right(fc1, unit), right(unit, fc2))
    arrows += (down(fc2, product, "matrices (N, C, K)"), right(pooled, product))
    arrows += (right(product, softmax), right(softmax, weights))
    boxes = (x, mean, pooled, fc1, unit, fc2, product, softmax, weights)
    return Picture(1085, 215, "The router of a stage", boxes, arrows)


def adaptors() -> Picture:
    """AdaptiveStage: residual blocks, invariant and specific adaptors, and their fusion."""
    x = Box(15, 145, ("input",), Kind.DATA, 80)
    residual = Box(125, 145, ("residual", "blocks"), Kind.LEARNED)
    invariant = Box(300, 35, ("invariant adaptor", "one bottleneck"), Kind.LEARNED, 150)
    router_box = Box(300, 145, ("router",), Kind.LEARNED, 150)
    specific = Box(300, 255, ("K = 4 specific adaptors", "one bottleneck each"), Kind.LEARNED, 180)
    total = Box(520, 255, ("weighted sum",))
    first_norm = Box(665, 35, ("norm", "times gate"), Kind.LEARNED)
    second_norm = Box(665, 255, ("norm", "times (1 - gate)"), Kind.LEARNED, 120)
    added = Box(840, 145, ("sum",), Kind.STEP, 60)
    se = Box(930, 145, ("channel", "gate"), Kind.LEARNED, 80)
    output = Box(1040, 145, ("feature",), Kind.DATA, 80)
    into_sum = Arrow(((450, 170), (575, 170), (575, 255)), "weights (N, K)")
    arrows = (right(x, residual), right(residual, router_box), right(specific, total), into_sum)
    arrows += tuple(bend(residual, box, at=265) for box in (invariant, specific))
    arrows += (right(invariant, first_norm), right(total, second_norm))
    arrows += (
        Arrow(((775, 60), (870, 60), (870, 145))),
        Arrow(((785, 280), (870, 280), (870, 195))),
    )
    arrows += (right(added, se), right(se, output))
    boxes = (x, residual, invariant, router_box, specific, total, first_norm, second_norm)
    return Picture(1135, 340, "A stage of the backbone", (*boxes, added, se, output), arrows)


def meta_step() -> Picture:
    """MetaTrainer.meta_step: two gradients, one update."""
    seen = Box(15, 35, ("a batch of each", "seen domain"), Kind.DATA, 150)
    first = Box(235, 35, ("losses and gradient g", "at the weights w"), Kind.STEP, 190)
    inner = Box(495, 35, ("inner update", "w' = w - rate g"), Kind.LEARNED, 160)
    held_out = Box(15, 135, ("a batch of the", "held-out domain"), Kind.DATA, 150)
    second = Box(480, 135, ("losses and gradient h", "at the weights w'"), Kind.STEP, 190)
    restore = Box(480, 235, ("restore w",), Kind.STEP, 190)
    outer = Box(740, 235, ("outer update", "w = w - rate (g + h)"), Kind.LEARNED, 190)
    keep = Arrow(((330, 85), (330, 325), (835, 325), (835, 285)), "g")
    also = Arrow(((670, 160), (835, 160), (835, 235)), "h")
    arrows = (right(seen, first), right(first, inner), down(inner, second), right(held_out, second))
    arrows += (down(second, restore), right(restore, outer), keep, also)
    boxes = (seen, first, inner, held_out, second, restore, outer)
    return Picture(945, 350, "A meta step", boxes, arrows)


PICTURES = {"acl_router.svg": router, "acl_adaptors.svg": adaptors, "acl_meta_step.svg": meta_step}


def svg(picture: Picture) -> str:
    """The file of a picture."""
    size = f'width="{picture.width}" height="{picture.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"',
        f'     viewBox="0 0 {picture.width} {picture.height}"',
        '     font-family="sans-serif" font-size="14" fill="#1a1a1a" text-anchor="middle">',
        f"<title>{escape(picture.title)}</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8"',
        '  markerHeight="8" orient="auto"><path d="M0 0 10 5 0 10z" fill="#333333"/>',
        "</marker></defs>",
        '<rect width="100%" height="100%" rx="8" fill="#fbfbfb"/>',
        *(_arrow(arrow) for arrow in picture.arrows),
        *(_box(box) for box in picture.boxes),
        "</svg>",
    ]
    return "\n".join([*parts, ""])


def _box(box: Box) -> str:
    fill, frame = box.kind.value
    place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{HEIGHT}"'
    parts = [f'<rect {place} rx="5" fill="{fill}" stroke="{frame}"/>']
    middle = box.x + box.width // 2
    first = box.y + HEIGHT // 2 + 5 - 9 * (len(box.lines) - 1)
    for number, line in enumerate(box.lines):
        parts.append(f'<text x="{middle}" y="{first + 18 * number}">{escape(line)}</text>')
    return "\n".join(parts)


def _arrow(arrow: Arrow) -> str:
    points = " ".join(f"{x},{y}" for x, y in arrow.points)
    drawn = f'<polyline points="{points}" fill="none" stroke="#333333" marker-end="url(#head)"/>'
    if not arrow.label:
        return drawn
    (x, y), (to_x, to_y) = arrow.points[:2]
    is_vertical = x == to_x
    place = (x + 8, (y + to_y) // 2 + 5) if is_vertical else ((x + to_x) // 2, y - 7)
    anchor = ' text-anchor="start"' if is_vertical else ""
    return f'{drawn}\n<text x="{place[0]}" y="{place[1]}"{anchor}>{escape(arrow.label)}</text>'


def main(argv: list[str] | None = None) -> int:
    """Write the pictures, or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args(argv)
    texts = {FOLDER / name: svg(draw()) for name, draw in PICTURES.items()}
    old = [path for path, text in texts.items() if not is_current(path, text)]
    for path in [] if args.check else old:
        path.write_text(texts[path], encoding="utf-8")
    return 1 if args.check and old else 0


def is_current(path: Path, text: str) -> bool:
    """Tell whether a file has this text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
