"""How the runs of a table differ from the protocol, and from one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..spec import Protocol

Result = Mapping[str, Any]


def describe_differences(protocol: Protocol, results: Sequence[Result]) -> list[str]:
    """Describe the differences, each once.

    Args:
        protocol: the protocol.
        results: contents of ``result.json`` of the runs of a table.

    Returns:
        A sentence for each.
    """
    found = [line for result in results for line in result["differences"]]
    found += _missing_splits(protocol, results)
    found += _different_data(results)
    commits = {result["git"] for result in results}
    if len(commits) > 1:
        found.append(f"The runs of this table are from {len(commits)} states of the code.")
    return list(dict.fromkeys(found))


def _missing_splits(protocol: Protocol, results: Sequence[Result]) -> Iterator[str]:
    for route in dict.fromkeys(protocol.routes):
        tested = [
            {score["split"] for score in result["scores"] if score["target"] == route.target}
            for result in results
            if tuple(result["sources"]) == route.sources
        ]
        fewest = min((len(set(route.splits) & splits) for splits in tested if splits), default=None)
        if fewest is not None and fewest < len(route.splits):
            wanted = len(route.splits)
            yield f"{route.target}: {fewest} of the protocol's {wanted} test splits."


def _different_data(results: Sequence[Result]) -> Iterator[str]:
    hashes: dict[str, set[str]] = {}
    for result in results:
        for name, fact in result["data"].items():
            for subset, here in fact["subsets"].items():
                hashes.setdefault(f"{name}, {subset}", set()).add(here["hash"])
    for place, different in hashes.items():
        if len(different) > 1:
            yield f"{place}: the runs of this table had different images or labels."
