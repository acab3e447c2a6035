"""Plots of training curves and CMC curves; without Matplotlib nothing is drawn."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_file import replacing

PANEL_INCHES = (5.2, 3.3)
RESOLUTION = 130
# Totals of losses are drawn on top, in black.
TOTALS = ("total_loss", "meta_total_loss", "meta_total")
COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#66a61e", "#17becf")
TIMES = ("data_time", "time")
SCORE = re.compile(r"mAP|Rank-1(?!\d)")

logger = logging.getLogger(__name__)


def plot_training_curves(metrics_json: str | Path, output: str | Path) -> bool:
    """Plot losses of basic and meta steps, learning rate, scores and times over the iterations.

    Panels without values are omitted. An incomplete last line of the file is skipped.

    Args:
        metrics_json: file with one JSON object per line, each with the key "iteration".
        output: PNG file to write.

    Returns:
        Whether the file was written: False if Matplotlib is missing or there are no values.
    """
    records = _read_records(Path(metrics_json))
    panels = [(title, unit, series) for title, unit, series in _panels(records) if series]
    if not panels:
        logger.info("%s has no values to plot.", metrics_json)
        return False
    columns = min(len(panels), 3 if len(panels) > 4 else 2)
    figure = new_figure(-(-len(panels) // columns), columns)
    if figure is None:
        return False
    axes = figure.subplots(-(-len(panels) // columns), columns, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, unit, series) in zip(axes, panels):
        _draw_panel(axis, title, unit, series)
    save_figure(figure, output)
    return True


def plot_cmc(
    curves: Mapping[str, np.ndarray],
    output: str | Path,
    *,
    mean_aps: Mapping[str, float] | None = None,
    max_rank: int = 20,
) -> bool:
    """Plot one or more CMC curves.

    Args:
        curves: CMC curves by label: (R,) fraction of queries with a match in the top 1, 2, ...
        output: PNG file to write.
        mean_aps: mAP in [0, 1] by label, for the legend.
        max_rank: last rank on the axis.

    Returns:
        Whether the file was written: False if Matplotlib is missing.
    """
    figure = new_figure(1, 1, inches=(6.4, 4.4))
    if figure is None:
        return False
    axis = figure.subplots()
    for number, (label, cmc) in enumerate(curves.items()):
        shown = 100 * np.asarray(cmc)[:max_rank]
        legend = f"{label}: Rank-1 {shown[0]:.1f} %"
        if mean_aps and label in mean_aps:
            legend += f", mAP {100 * mean_aps[label]:.1f} %"
        style = {"color": COLOURS[number % len(COLOURS)], "marker": "o", "markersize": 3.5}
        axis.plot(np.arange(1, len(shown) + 1), shown, label=legend, linewidth=1.8, **style)
    style_axis(axis, "Cumulative matching characteristic", "Rank", "Queries with a match (%)")
    axis.set_xticks([1, *range(5, max_rank + 1, 5)])
    axis.set_xlim(0.5, max_rank + 0.5)
    axis.set_ylim(top=101)
    axis.legend(loc="lower right", fontsize=9, frameon=False)
    save_figure(figure, output)
    return True


def new_figure(rows: int, columns: int, inches: tuple[float, float] = PANEL_INCHES) -> Any:
    """Make a figure that is drawn to files only, independent of the user's Matplotlib backend.

    Args:
        rows: number of rows of panels.
        columns: number of columns of panels.
        inches: width and height of a panel.

    Returns:
        The figure; None, after a warning in the log, if Matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        logger.warning("No plots: Matplotlib is missing. Get it with: pip install matplotlib")
        return None
    size = (columns * inches[0], rows * inches[1])
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, output: str | Path) -> None:
    """Write a figure to a file atomically.

    Args:
        figure: result of `new_figure`.
        output: PNG file to write.
    """
    with replacing(Path(output)) as temporary:
        figure.savefig(temporary, dpi=RESOLUTION)


def _read_records(path: Path) -> list[dict[str, Any]]:
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            # A killed run can leave an incomplete line.
            logger.warning("%s has a line that is not JSON; it is skipped.", path)
            continue
        if "iteration" in record:
            records.append(record)
    return records


def _panels(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, dict]]:
    """Return title, unit and series of every panel; a series is name -> (iterations, values)."""
    names = sorted({name for record in records for name in record if _is_number(record, name)})
    scores = [name for name in names if SCORE.search(name)]
    losses = [name for name in names if "loss" in name and name not in scores]
    meta = [name for name in losses if name.startswith("meta_")]
    basic = [name for name in losses if name not in meta]
    rates = [name for name in names if name == "lr" or name.endswith("_lr")]
    times = [name for name in TIMES if name in names]
    chosen = [
        ("Losses of basic steps", "loss", basic),
        ("Losses of meta steps", "loss", meta),
        ("Learning rate", "learning rate", rates),
        ("Evaluation", "%", scores),
        ("Time per iteration", "seconds", times),
    ]
    return [
        (title, unit, {name: _series(records, name) for name in of_panel})
        for title, unit, of_panel in chosen
    ]


def _is_number(record: Mapping[str, Any], name: str) -> bool:
    return isinstance(record.get(name), (int, float))


def _series(records: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Return iterations and values; of iterations repeated by a resumed run, the last value."""
    values = {record["iteration"]: record[name] for record in records if _is_number(record, name)}
    iterations = sorted(values)
    return iterations, [values[iteration] for iteration in iterations]


def _draw_panel(axis: Any, title: str, unit: str, series: Mapping[str, tuple]) -> None:
    plain = [name for name in series if name not in TOTALS]
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(plain)}
    for name, (iterations, values) in series.items():
        is_total = name in TOTALS
        axis.plot(
            iterations,
            values,
            label=name,
            color="#222222" if is_total else colours[name],
            linewidth=2.0 if is_total else 1.4,
            zorder=3 if is_total else 2,
            marker="o" if len(iterations) < 15 else None,
            markersize=3.5,
        )
    style_axis(axis, title, "Iteration", unit)
    if all(value >= 0 for _, values in series.values() for value in values):
        axis.set_ylim(bottom=0)
    if list(series) != ["lr"]:
        axis.legend(fontsize=7.5, frameon=False, ncols=2 if len(series) > 4 else 1)


def style_axis(axis: Any, title: str, horizontal: str, vertical: str) -> None:
    """Set the title, the axis labels and the grid of a panel.

    Args:
        axis: Matplotlib axes.
        title: title of the panel.
        horizontal: label of the horizontal axis.
        vertical: label of the vertical axis.
    """
    axis.set_title(title, fontsize=11, loc="left", fontweight="bold")
    axis.set_xlabel(horizontal, fontsize=9)
    axis.set_ylabel(vertical, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(visible=True, color="#e3e5e8", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
