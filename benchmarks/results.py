"""Figures of benchmarks in one form: in a file, in a table, and compared with those of another run.

A file is ``{"machine": {name: text}, "results": [result, ...], "failed": [...]}``; the fields of a
result are those of `Result`. Every benchmark writes such a file with ``--json FILE``.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

# Units of which more is better; of all others, less is better.
SPEEDS = ("images/s", "GFLOP/s")
_PACKAGES = ("mindspore", "numpy", "scipy", "torch")
_HEADERS = ("measurement", "unit", "ours", "the other", "ratio", "other")


class Result(NamedTuple):
    """One figure.

    Attributes:
        name: what was measured, unique in a file.
        unit: of the figures: "s", "GiB" or one of `SPEEDS`.
        ours: figure of this toolbox.
        other: figure of another program in the same run; None if there was none.
        program: name of the other program.
    """

    name: str
    unit: str
    ours: float
    other: float | None = None
    program: str = ""

    @property
    def ratio(self) -> float | None:
        """Time or memory of ours relative to the other's; of speeds, the reciprocal."""
        return None if self.other is None else relative(self.unit, self.ours, self.other)


def relative(unit: str, new: float, old: float) -> float:
    """Divide two figures so that below 1 means that the new one is better.

    Args:
        unit: unit of both.
        new: the new figure.
        old: the old figure.
    """
    if unit in SPEEDS:
        new, old = old, new
    return new / old if old else float("inf")


def describe_machine() -> dict[str, str]:
    """Describe processor, cores, memory, load, BLAS kernels and versions, for a file's head."""
    # Imported here, because a process that measures another checkout must not import this one.
    from fastreid.utils.machine import num_cores
    from fastreid.utils.processor import describe_kernels, loaded_kernels

    texts = {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "family and model": " / ".join(
            _field("/proc/cpuinfo", name) for name in ("cpu family", "model")
        ),
        "cores": f"{num_cores()} of {os.cpu_count()}",
        "memory": _field("/proc/meminfo", "MemTotal"),
        "load at the start": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
    }
    texts.update((f"BLAS of {one.package}", describe_kernels(one)) for one in loaded_kernels())
    for package in _PACKAGES:
        try:
            texts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return texts


def _field(file: str, name: str) -> str:
    """Return the value of the first line "name: value" of a file; "" without it."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def write_results(
    path: Path | None, results: Iterable[Result], *, failed: Sequence[str] = (), **more: Any
) -> None:
    """Write figures and a description of the machine.

    Args:
        path: the file; None writes nothing.
        results: the figures.
        failed: names of what could not be measured.
        more: further entries of the file, for example every single time.
    """
    if path is None:
        return
    found = {"machine": describe_machine(), "results": [one._asdict() for one in results]}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**found, "failed": list(failed), **more}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def read_results(path: Path) -> tuple[dict[str, str], list[Result]]:
    """Read a file of `write_results`.

    Args:
        path: the file.

    Returns:
        Description of the machine, and figures.

    Raises:
        ValueError: the file is missing or has another form.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return dict(found["machine"]), [Result(**one) for one in found["results"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no file of --json of a benchmark: {error!r}") from error


def table(results: Sequence[Result]) -> str:
    """Format figures as a table in Markdown.

    Args:
        results: the figures.
    """
    rows = [
        [one.name, one.unit, _digits(one.ours), _digits(one.other), _digits(one.ratio), one.program]
        for one in results
    ]
    return tabulate(rows, headers=_HEADERS, tablefmt="pipe", disable_numparse=True)


def comparison(first: Path, second: Path) -> str:
    """Compare two files, figure by figure.

    Args:
        first: file of the earlier run.
        second: file of the later run.

    Returns:
        A table. Ratios below 1 mean that the second is better. Figures in one file only have none.

    Raises:
        ValueError: a file is missing or has another form.
    """
    (old_machine, old), (new_machine, new) = read_results(first), read_results(second)
    before, after = ({one.name: one for one in results} for results in (old, new))
    rows = []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        unit = (a or b or Result(name, "", 0)).unit
        ratio = relative(unit, b.ours, a.ours) if a and b and a.unit == b.unit else None
        figures = [one and one.ours for one in (a, b)]
        rows.append([name, unit, *map(_digits, figures), _digits(ratio)])
    headers = ("measurement", "unit", first.name, second.name, "ratio")
    lines = [tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)]
    for key in dict.fromkeys([*old_machine, *new_machine]):
        texts = old_machine.get(key, "none"), new_machine.get(key, "none")
        if texts[0] != texts[1]:
            lines.append(f"{key}: {texts[0]} -> {texts[1]}")
    return "\n".join(lines)


def _digits(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3g}" if abs(figure) < 100 else f"{figure:.0f}"
