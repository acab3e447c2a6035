"""The rows of a protocol's table: published scores, and those of the runs in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastreid.utils.file_io.paths import absolute_path

from ..run_folder import RunFolder
from ..spec import LAST, SELECTIONS, TARGET_SELECTED, Protocol, Route
from .differences import describe_differences
from .statistics import Statistic, summarize

METRICS = ("mAP", "Rank-1")
AVERAGE = "average"
SELECTION_WORDS = {LAST: "last epoch", TARGET_SELECTED: "best on target"}

# A field of the table: metric -> its statistic.
Field = Mapping[str, Statistic]


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        method: name of the method; that of our rows says how the checkpoint was selected.
        venue: where its scores were published; "" for ours.
        source: letters of the origin of published scores; "" for ours.
        is_ours: whether the scores are those of the runs.
        fields: label of a route, or "average" -> its field; missing where there are no scores.
    """

    method: str
    venue: str
    source: str
    is_ours: bool
    fields: Mapping[str, Field]


class Summary(NamedTuple):
    """All that a report shows.

    Attributes:
        protocol: the protocol.
        columns: labels of the routes, then "average".
        rows: published rows, then ours.
        differences: how our runs differ from the protocol, a sentence each.
        origins: where each of our runs comes from.
    """

    protocol: Protocol
    columns: Sequence[str]
    rows: Sequence[Row]
    differences: Sequence[str]
    origins: Sequence[Mapping[str, Any]]

    @property
    def ours(self) -> list[Row]:
        """The rows of our runs."""
        return [row for row in self.rows if row.is_ours]


def summarize_runs(protocol: Protocol, folders: Sequence[RunFolder]) -> Summary:
    """Make the rows of a protocol's table.

    Args:
        protocol: the protocol.
        folders: folders of runs; those without a result are left out.

    Returns:
        The summary.

    Raises:
        ValueError: no folder has a result, or a result is damaged or of another protocol.
    """
    found = [(folder, result) for folder in folders if (result := folder.result()) is not None]
    if not found:
        raise ValueError("There are no results yet: no run has finished.")
    for folder, result in found:
        if result.get("protocol") != protocol.name:
            raise ValueError(
                f"{folder.path} has a result of {result.get('protocol')!r}, not of "
                f"{protocol.name}; choose another --output."
            )
    results = [result for _, result in found]
    methods = list(dict.fromkeys(result["method"] for result in results))
    rows = [_published_row(protocol, index) for index in range(len(protocol.published))]
    for method in methods:
        of_method = [result for result in results if result["method"] == method]
        rows += [_our_row(protocol, of_method, method, selection) for selection in SELECTIONS]
    return Summary(
        protocol,
        [*(route.label for route in protocol.routes), AVERAGE],
        rows,
        describe_differences(protocol, results),
        [_origin(folder, result) for folder, result in found],
    )


def _published_row(protocol: Protocol, index: int) -> Row:
    published = protocol.published[index]
    values = {
        route.label: {0: {"mAP": [score.mean_ap], "Rank-1": [score.rank_1]}}
        for route in protocol.routes
        if (score := published.scores.get(route.target)) is not None
    }
    fields = _fields(protocol, values)
    return Row(published.method, published.venue, published.source, False, fields)


def _our_row(
    protocol: Protocol, results: Sequence[Mapping[str, Any]], method: str, selection: str
) -> Row:
    values: dict[str, dict[int, dict[str, list[float]]]] = {}
    for route in protocol.routes:
        for result in results:
            scores = _scores(result, route, selection)
            if scores:
                values.setdefault(route.label, {})[result["seed"]] = {
                    metric: [score[metric] for score in scores] for metric in METRICS
                }
    name = f"{method} here, {SELECTION_WORDS[selection]}"
    return Row(name, "", "", True, _fields(protocol, values))


def _scores(result: Mapping[str, Any], route: Route, selection: str) -> list[Mapping[str, Any]]:
    """Return the scores of a route, one for each split that the run was asked for."""
    if tuple(result["sources"]) != route.sources:
        return []
    found = [
        score
        for score in result["scores"]
        if score["target"] == route.target
        and score["selection"] == selection
        and score["split"] in route.splits
    ]
    return sorted(found, key=lambda score: score["split"])


def _fields(
    protocol: Protocol, values: Mapping[str, Mapping[int, Mapping[str, list[float]]]]
) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for label, of_seeds in values.items():
        fewest = min(len(scores[METRICS[0]]) for scores in of_seeds.values())
        fields[label] = {
            metric: summarize({seed: v[metric][:fewest] for seed, v in of_seeds.items()})
            for metric in METRICS
        }
    wanted = [route.label for route in protocol.routes if route.target in protocol.average]
    if wanted and all(label in values for label in wanted):
        common = set.intersection(*(set(values[label]) for label in wanted))
        if common:
            fields[AVERAGE] = {
                metric: summarize(
                    {seed: [_mean_of(values, wanted, seed, metric)] for seed in sorted(common)}
                )
                for metric in METRICS
            }
    return fields


def _mean_of(
    values: Mapping[str, Mapping[int, Mapping[str, list[float]]]],
    labels: Sequence[str],
    seed: int,
    metric: str,
) -> float:
    means = [sum(scores) / len(scores) for scores in (values[x][seed][metric] for x in labels)]
    return sum(means) / len(means)


def _origin(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, Any]:
    checkpoints = {score["selection"]: score["checkpoint"] for score in result["scores"]}
    return {
        "run": folder.path.name,
        "method": result["method"],
        "seed": result["seed"],
        "folder": str(absolute_path(folder.path)),
        "config": str(absolute_path(folder.path / "config.yaml")),
        "commit": result["git"],
        "data": {
            name: {subset: here["hash"] for subset, here in fact["subsets"].items()}
            for name, fact in result["data"].items()
        },
        "data_versions": {name: fact["version"] for name, fact in result["data"].items()},
        "checkpoints": checkpoints,
        "selected_on": result["selected_on"],
        "seconds": result["seconds"],
        "versions": result["versions"],
    }
