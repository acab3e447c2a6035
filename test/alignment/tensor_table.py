"""Tables of a backbone's tensors: a digest of all names and shapes for each member of a family."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def digest(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Sum up PyTorch name -> shape: the number of tensors, of elements, and a hash of all lines."""
    lines = sorted(f"{name} {list(map(int, shape))}" for name, shape in shapes.items())
    elements = 0
    for shape in shapes.values():
        count = 1
        for size in shape:
            count *= int(size)
        elements += count
    text = "\n".join(lines).encode()
    return {
        "tensors": len(lines),
        "elements": elements,
        "sha256": hashlib.sha256(text).hexdigest(),
    }


def read_table(name: str) -> dict[str, dict[str, Any]]:
    """Read test/golden/NAME: words of `merge_from_list` in one text -> digest."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))
