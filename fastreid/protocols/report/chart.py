"""The table as a bar chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastreid.utils.visualizer.curves import COLOURS, new_figure, save_figure, style_axis

from .summary import METRICS, Row, Summary

# Brightness of the first and of the last published row.
_LIGHT, _DARK = 0.9, 0.5
_GROUP_WIDTH = 0.84


def draw_chart(summary: Summary, output: Path) -> bool:
    """Draw mAP and Rank-1 of all rows, grouped by route; bars of our runs are coloured.

    Args:
        summary: the rows.
        output: PNG file to write.

    Returns:
        Whether the file was written: False if Matplotlib is missing.
    """
    rows = [row for row in summary.rows if row.fields]
    width = max(6.4, 1.2 + len(summary.columns) * (0.5 + 0.16 * len(rows)))
    figure = new_figure(len(METRICS), 1, inches=(width, 3.2))
    if figure is None:
        return False
    axes = figure.subplots(len(METRICS), 1, squeeze=False).ravel()
    for axis, metric in zip(axes, METRICS):
        _draw_metric(axis, summary, rows, metric)
    title = summary.protocol.title
    if summary.differences:
        title += "\n(our runs differ from the protocol: see table.md)"
    figure.suptitle(title, fontsize=10)
    axes[0].legend(fontsize=7, frameon=False, ncols=1, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    save_figure(figure, output)
    return True


def _draw_metric(axis: Any, summary: Summary, rows: list[Row], metric: str) -> None:
    places = np.arange(len(summary.columns))
    bar = _GROUP_WIDTH / max(1, len(rows))
    for number, row in enumerate(rows):
        there = [place for place in places if summary.columns[place] in row.fields]
        found = [row.fields[summary.columns[place]][metric] for place in there]
        left = np.array(there) - _GROUP_WIDTH / 2 + (number + 0.5) * bar
        errors = [statistic.sd_seeds or 0.0 for statistic in found]
        axis.bar(
            left,
            [statistic.mean for statistic in found],
            bar * 0.92,
            yerr=errors if any(errors) else None,
            error_kw={"elinewidth": 0.8},
            color=_colour(rows, number),
            label=row.method,
        )
    style_axis(axis, "", "", f"{metric} (%)")
    axis.set_xticks(places, summary.columns)
    axis.set_ylim(0, 100)


def _colour(rows: list[Row], number: int) -> str:
    """Return a grey, from light to dark, for a published row, and a colour for one of ours."""
    published = [place for place, row in enumerate(rows) if not row.is_ours]
    if number not in published:
        return COLOURS[(number - len(published)) % len(COLOURS)]
    share = published.index(number) / max(1, len(published) - 1)
    return f"{_LIGHT + share * (_DARK - _LIGHT):.3f}"
