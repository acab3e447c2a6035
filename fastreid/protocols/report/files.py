"""Write the report of a protocol: Markdown, LaTeX, CSV, JSON and a bar chart."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from fastreid.utils.atomic_file import replacing

from ..run_folder import write_json
from .chart import draw_chart
from .summary import METRICS, Summary
from .text import latex, markdown


def write_report(summary: Summary, folder: Path) -> list[Path]:
    """Write table.md, table.tex, table.csv, table.json and table.png.

    Args:
        summary: the rows.
        folder: where to write; it exists.

    Returns:
        The files written; without Matplotlib there is no picture.
    """
    texts = {
        "table.md": markdown(summary),
        "table.tex": latex(summary),
        "table.csv": _csv(summary),
    }
    written = []
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
        written.append(folder / name)
    write_json(folder / "table.json", as_values(summary))
    written.append(folder / "table.json")
    if draw_chart(summary, folder / "table.png"):
        written.append(folder / "table.png")
    return written


def as_values(summary: Summary) -> dict[str, Any]:
    """Return a summary as values that JSON can hold.

    Args:
        summary: the rows.
    """
    return {
        "protocol": summary.protocol.name,
        "title": summary.protocol.title,
        "settings": dict(summary.protocol.settings),
        "differences": list(summary.differences),
        "columns": list(summary.columns),
        "rows": [
            {
                "method": row.method,
                "venue": row.venue,
                "source": row.source,
                "is_ours": row.is_ours,
                "scores": {
                    column: {metric: field[metric]._asdict() for metric in METRICS}
                    for column, field in row.fields.items()
                },
            }
            for row in summary.rows
        ],
        "sources": dict(summary.protocol.sources),
        "runs": list(summary.origins),
    }


def _csv(summary: Summary) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    kinds = ("mean", "sd_seeds", "sd_splits", "num_seeds", "num_splits")
    writer.writerow(["method", "venue", "source", "is_ours", "route", "metric", *kinds])
    for row in summary.rows:
        for column in summary.columns:
            for metric, statistic in row.fields.get(column, {}).items():
                values = ["" if value is None else value for value in statistic]
                described = [row.method, row.venue, row.source, row.is_ours, column, metric]
                writer.writerow([*described, *values])
    return text.getvalue()
