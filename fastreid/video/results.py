"""Write the results of a search as a table or as JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastreid.gallery import Match
from fastreid.utils.atomic_file import replacing

from .people import FoundPerson

SUFFIXES = (".csv", ".json")
_MATCH_COLUMNS = ("rank", "similarity", "pid", "camid", "time", "key", "path")


def write_results(path: Path, people: Sequence[FoundPerson]) -> None:
    """Write results as a table with a row for each match, or as JSON with a list for each query.

    Args:
        path: a file that ends with .csv or .json.
        people: what was found.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".json":
            queries = [
                {"query": person.name, **person.facts, "matches": _described(matches)}
                for person, matches in people
            ]
            text = json.dumps({"queries": queries}, indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
            return
        with temporary.open("w", newline="", encoding="utf-8") as file:
            facts = list(people[0].person.facts) if people else []
            writer = csv.DictWriter(file, ["query", *facts, *_MATCH_COLUMNS])
            writer.writeheader()
            for person, matches in people:
                for match in _described(matches):
                    writer.writerow({"query": person.name, **person.facts, **match})


def _described(matches: Sequence[Match]) -> list[dict[str, Any]]:
    return [
        {"rank": rank, "similarity": round(match.similarity, 6), **match.entry._asdict()}
        for rank, match in enumerate(matches, start=1)
    ]
