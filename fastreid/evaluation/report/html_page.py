"""The HTML of an evaluation report: a table of scores and the plots."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from fastreid.utils.messages.texts import printable
from fastreid.utils.visualizer import RankedImage, RankedQuery

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1200px;padding:0 1em;"
    "color:#1e2228}img{max-width:100%;border:1px solid #e3e5e8}table{border-collapse:collapse}"
    "td,th{padding:.3em .8em;border-bottom:1px solid #e3e5e8;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


class Section(NamedTuple):
    """A plot on the page.

    Attributes:
        title: heading.
        file: name of the image file, in the folder of the page.
        queries: queries that are listed below the plot.
    """

    title: str
    file: str
    queries: tuple[RankedQuery, ...] = ()


def make_page(
    heads: Sequence[str], rows: Iterable[Sequence[object]], sections: Iterable[Section]
) -> str:
    """Format a table of scores and plots as HTML.

    Args:
        heads: headings of the table's columns.
        rows: cells of each row of the table.
        sections: the plots.

    Returns:
        The text of the page.
    """
    pictures = "".join(map(_section, sections))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Evaluation</h1>\n{_table(heads, rows)}\n"
        f"{pictures}</body></html>\n"
    )


def _section(section: Section) -> str:
    title = html.escape(section.title)
    # Characters such as # and % have a special meaning in a URL.
    picture = f'<p><img src="{html.escape(quote(section.file))}" alt="{title}"></p>'
    return f"<h2>{title}</h2>{picture}{_listing(section.queries)}\n"


def _listing(queries: Sequence[RankedQuery]) -> str:
    if not queries:
        return ""
    most = max(len(query.gallery) for query in queries)
    heads = ["query", "file", "AP", *range(1, most + 1)]
    rows = [
        [
            _format_labels(query.image),
            query.image.path,
            "" if math.isnan(query.ap) else f"{100 * query.ap:.1f} %",
            *map(_format_labels, query.gallery),
        ]
        for query in queries
    ]
    return f"<details><summary>Identities and cameras</summary>{_table(heads, rows)}</details>"


def _format_labels(image: RankedImage) -> str:
    return f"{image.identity}, camera {image.camera}" if image.identity else "unknown"


def _table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    lines = "".join(
        "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in [("th", heads), *(("td", row) for row in rows)]
    )
    return f"<table>{lines}</table>"


def _text(cell: object) -> str:
    return html.escape(printable(str(cell)))
