"""The table as Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .statistics import Statistic
from .summary import AVERAGE, METRICS, SELECTION_WORDS, Row, Summary

_SPECIAL = re.compile(r"([&%$#_{}])")


def field_text(row: Row, column: str, *, plus_minus: str = "±") -> str:
    """Write a field of the table: "41.2 ± 0.3 / 41.8 ± 0.5", mAP and Rank-1; "" without scores.

    Args:
        row: row of the table.
        column: label of a route, or "average".
        plus_minus: the sign before a standard deviation.
    """
    field = row.fields.get(column)
    if field is None:
        return ""
    return " / ".join(_number(field[metric], plus_minus) for metric in METRICS)


def markdown(summary: Summary) -> str:
    """Write the report: table, differences from the protocol, and where each number is from.

    Args:
        summary: the rows.

    Returns:
        A Markdown document.
    """
    protocol = summary.protocol
    lines = [f"# {protocol.title}", "", *_label(summary), ""]
    lines += _markdown_table(
        ["method", "published", "source", *summary.columns],
        [
            [row.method, row.venue, row.source]
            + [field_text(row, column) for column in summary.columns]
            for row in summary.rows
        ],
    )
    lines += ["", *_legend(summary), ""]
    if summary.differences:
        lines += ["## Differences from the protocol", ""]
        lines += [f"- {line}" for line in summary.differences] + [""]
    lines += ["## How papers ran this protocol", ""]
    lines += [
        f"- {paper.name}: {'as here' if paper.as_here else 'otherwise'} ({paper.how})."
        for paper in protocol.papers
    ] or ["- No paper's settings have been recorded."]
    lines += ["", "## Where the numbers are from", ""]
    lines += [f"- {letter}: {origin}." for letter, origin in protocol.sources.items()]
    lines += ["", *_origins(summary), ""]
    return "\n".join(lines)


def latex(summary: Summary) -> str:
    """Write the table for a paper; needs the package booktabs.

    Args:
        summary: the rows.

    Returns:
        A ``tabular`` environment, with comments for labels and differences.
    """
    columns = [_escape(column.replace("->", "$\\to$")) for column in summary.columns]
    lines = [f"% {line}" for line in [summary.protocol.title, *_label(summary)]]
    lines += [f"% {line}" for line in summary.differences]
    lines += [f"\\begin{{tabular}}{{ll{'c' * len(columns)}}}", "\\toprule"]
    lines += [f"Method & Published & {' & '.join(columns)} \\\\", "\\midrule"]
    was_ours = False
    for row in summary.rows:
        if row.is_ours and not was_ours and row is not summary.rows[0]:
            lines.append("\\midrule")
        was_ours = row.is_ours
        fields = [field_text(row, column, plus_minus="$\\pm$") for column in summary.columns]
        lines.append(f"{' & '.join([_escape(row.method), _escape(row.venue), *fields])} \\\\")
    lines += ["\\bottomrule", "\\end{tabular}", ""]
    return "\n".join(lines)


def _number(statistic: Statistic, plus_minus: str) -> str:
    text = f"{statistic.mean:.1f}"
    if statistic.sd_seeds is not None:
        text += f" {plus_minus} {statistic.sd_seeds:.1f}"
    return text


def _label(summary: Summary) -> list[str]:
    count = len(summary.differences)
    if not count:
        return ["The data and settings of our runs are those of the protocol."]
    verb = "is 1 difference" if count == 1 else f"are {count} differences"
    return [f"**Our scores are not those of the protocol: there {verb}, listed below.**"]


def _legend(summary: Summary) -> list[str]:
    statistics = [
        statistic
        for row in summary.ours
        for column, field in row.fields.items()
        if column != AVERAGE
        for statistic in field.values()
    ]
    seeds = _range(s.num_seeds for s in statistics)
    splits = _range(s.num_splits for s in statistics)
    average = ", ".join(summary.protocol.average)
    return [
        f"mAP / Rank-1 in percent. Our scores are means over {splits} test split(s) and {seeds} "
        "seed(s), ± the sample standard deviation over seeds where there are several. Average: "
        f'{average}. Rows "best on target" are from the checkpoint with the best scores in '
        "evaluations on the test sets themselves during training; this protocol reports "
        f'"{SELECTION_WORDS[summary.protocol.selection]}".'
    ]


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return "0" if not found else str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _origins(summary: Summary) -> list[str]:
    rows = []
    for origin in summary.origins:
        for selection, checkpoint in origin["checkpoints"].items():
            hashes = [value for subsets in origin["data"].values() for value in subsets.values()]
            rows.append(
                [
                    origin["run"],
                    SELECTION_WORDS[selection],
                    f"{origin['run']}/config.yaml",
                    _short(origin["commit"]),
                    " ".join(value[:8] for value in hashes),
                    "{file} (epoch {epoch})".format(**checkpoint) + f" {checkpoint['sha256'][:8]}",
                ]
            )
    head = ["run", "scores", "configuration", "commit", "hashes of the data", "checkpoint"]
    return [
        "Hashes are the first 8 digits of SHA-256; table.json has all of them.",
        "",
        *_markdown_table(head, rows),
    ]


def _short(commit: str) -> str:
    digits, _, changed = commit.partition(",")
    return f"{digits[:10]},{changed}" if changed else digits[:16]


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _escape(text: str) -> str:
    kept = text.split("$\\to$")
    return "$\\to$".join(_SPECIAL.sub(r"\\\1", part) for part in kept)
