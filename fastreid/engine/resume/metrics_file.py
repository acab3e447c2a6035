"""Removes later lines from metrics.json when a run resumes."""

from __future__ import annotations

import json
from pathlib import Path

from fastreid.utils.atomic_file import replacing


def rewind_metrics(path: Path, iteration: int) -> int:
    """Remove the lines that a killed run wrote after its last checkpoint, and broken lines.

    Args:
        path: metrics.json; it may be missing.
        iteration: number of iterations in the checkpoint; lines from this iteration on are removed.

    Returns:
        The number of lines removed.
    """
    if not path.is_file():
        return 0
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _is_before(line, iteration)]
    if len(kept) < len(lines):
        with replacing(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    return len(lines) - len(kept)


def _is_before(line: str, iteration: int) -> bool:
    try:
        return json.loads(line)["iteration"] < iteration
    except (ValueError, KeyError, TypeError):
        return False
