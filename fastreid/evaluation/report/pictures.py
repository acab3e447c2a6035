"""Everything there is to see of one or several runs, and a page that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastreid.utils.atomic_file import replacing
from fastreid.utils.compute_dist import DistanceRows
from fastreid.utils.messages.texts import printable
from fastreid.utils.visualizer import (
    RankedQuery,
    draw_queries,
    plot_cmc,
    plot_feature_map,
    plot_roc,
)
from fastreid.utils.visualizer.features import principal_plane

from ..features.feature_file import FeatureSet
from ..features.image_places import look_for_images
from ..rank import RankResult, evaluate_rank
from ..retrieval import RetrievalLabels
from ..roc_histogram import RocHistogram
from .page import Section, make_page
from .ranked_images import image_at, most_and_least, ranked_images

RANKS = (1, 5, 10)
# Images of each run that the map shows.
MOST_POINTS = 4000


class _Run(NamedTuple):
    """Scores of one feature file."""

    features: FeatureSet
    ranking: RankResult
    roc: RocHistogram


def write_pictures(
    runs: Mapping[str, FeatureSet],
    output: str | Path,
    *,
    metric: str = "cosine",
    num_queries: int = 8,
    num_images: int = 10,
    seed: int = 0,
) -> Path:
    """Draw rank lists, curves and a map, and write a page around them.

    Images that are not found are empty tiles, with one warning for each run.

    Args:
        runs: label -> features of a test set, (N, D) each, with queries.
        output: folder for the PNG files and index.html, made where it is missing.
        metric: "cosine" or "euclidean".
        num_queries: queries on each sheet; 0: no rank lists, which need the images.
        num_images: gallery images of each query.
        seed: of what is chosen at random.

    Returns:
        The page.

    Raises:
        ValueError: a run has no queries, or no query of it has a match.
        FileNotFoundError: none of the images that rank lists of a run would show is found.
    """
    if num_queries < 0 or num_images < 1:
        raise ValueError(
            f"There is nothing to draw: {num_queries} queries and {num_images} images."
        )
    output = Path(output)
    # The name of a folder may not be UTF-8, which the page is.
    runs = {name: run._replace(name=printable(run.name)) for name, run in runs.items()}
    scored = {name: _score(name, features, metric) for name, features in runs.items()}
    sheets = {}
    if num_queries:
        for name, run in scored.items():
            chosen = most_and_least(run.ranking.all_ap, num_queries, seed)
            sheets[name] = _sheets(name, run, chosen, num_images, metric)
    output.mkdir(parents=True, exist_ok=True)
    sections = _draw_curves(scored, output) + _draw_map(runs, output, seed)
    for name, of_kinds in sheets.items():
        sections += _draw_sheets(name, of_kinds, scored[name].ranking.num_queries, output)
    page = output / "index.html"
    with replacing(page) as temporary:
        text = make_page(*_score_table(scored), sections)
        temporary.write_text(text, encoding="utf-8")
    return page


def _sheets(
    name: str, run: _Run, chosen: Mapping[str, np.ndarray], num_images: int, metric: str
) -> dict[str, tuple[RankedQuery, ...]]:
    """The queries of every kind, after one look for all their images."""
    places = np.concatenate(list(chosen.values()))
    ranked = _ranked(run, places, num_images, metric)
    queries = look_for_images(ranked, run.features, source=name)
    ends = np.cumsum([len(of_kind) for of_kind in chosen.values()])
    return {
        kind: tuple(queries[end - len(of_kind) : end])
        for (kind, of_kind), end in zip(chosen.items(), ends)
    }


def _score(name: str, features: FeatureSet, metric: str) -> _Run:
    query, gallery = features.query, features.gallery
    if not len(query.features) or not len(gallery.features):
        raise ValueError(
            f"{name} has {len(query.features)} queries and {len(gallery.features)} gallery images; "
            "pictures need both: make the file with tools/extract_features.py --dataset."
        )
    distances = DistanceRows(query.features, gallery.features, metric=metric)
    labels = (query.pids, gallery.pids, query.camids, gallery.camids)
    ranking = evaluate_rank(distances, *labels)
    return _Run(features, ranking, RocHistogram(distances, RetrievalLabels(*labels)))


def _draw_sheets(
    name: str, of_kinds: Mapping[str, tuple[RankedQuery, ...]], num_queries: int, output: Path
) -> list[Section]:
    sections = []
    for kind, queries in of_kinds.items():
        section = Section(f"{name}: {kind} queries", f"ranklist_{name}_{kind}.png", queries)
        legend = f"{len(queries)} of {num_queries} queries"
        draw_queries(queries, output / section.file, title=section.title, legend=legend)
        sections.append(section)
    return sections


def _draw_curves(runs: Mapping[str, _Run], output: Path) -> list[Section]:
    sections = []
    cmcs = {name: run.ranking.cmc for name, run in runs.items()}
    mean_aps = {name: run.ranking.mean_ap for name, run in runs.items()}
    if plot_cmc(cmcs, output / "cmc.png", mean_aps=mean_aps):
        sections.append(Section("Cumulative matching characteristic", "cmc.png"))
    rocs = {name: (run.roc.false_rate, run.roc.true_rate) for name, run in runs.items()}
    if plot_roc(rocs, output / "roc.png"):
        sections.append(Section("Verification: true over false positive rate", "roc.png"))
    return sections


def _draw_map(runs: Mapping[str, FeatureSet], output: Path, seed: int) -> list[Section]:
    dimension = next(iter(runs.values())).images.features.shape[1]
    features, domains, pids = [], [], []
    rng = np.random.default_rng(seed)
    for run in runs.values():
        images = run.images
        if images.features.shape[1] == dimension and run.name not in domains:
            shown = np.sort(rng.permutation(len(images.pids))[:MOST_POINTS])
            features.append(images.features[shown])
            pids.append(images.pids[shown])
            domains += [run.name] * len(shown)
    points = principal_plane(np.concatenate(features))
    if not plot_feature_map(points, domains, np.concatenate(pids), output / "map.png"):
        return []
    return [Section("Features, projected onto their two principal directions", "map.png")]


def _ranked(run: _Run, places: np.ndarray, count: int, metric: str) -> list[RankedQuery]:
    chosen = run.ranking.query_indices[places]
    query = run.features.query.rows(chosen)
    ranked = ranked_images(query, run.features.gallery, count=count, metric=metric)
    return [
        RankedQuery(image_at(query, number, 0.0), float(ap), tuple(images))
        for number, (ap, images) in enumerate(zip(run.ranking.all_ap[places], ranked))
    ]


def _score_table(runs: Mapping[str, _Run]) -> tuple[list[str], list[list[object]]]:
    heads = ["run", "test set", "queries", "without a match", "gallery"]
    heads += [f"Rank-{rank}" for rank in RANKS] + ["mAP", "mINP"]
    rows = []
    for name, run in runs.items():
        ranking = run.ranking
        counts = (
            ranking.num_queries,
            ranking.num_queries - ranking.num_valid,
            len(run.features.gallery.pids),
        )
        scores = [ranking.cmc[rank - 1] for rank in RANKS] + [ranking.mean_ap, ranking.mean_inp]
        rows.append([name, run.features.name, *counts, *(f"{100 * s:.1f} %" for s in scores)])
    return heads, rows
