"""HTML report of one or more feature files: rank lists, CMC and ROC curves, and a feature map."""

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
from ..features.image_paths import look_for_images
from ..rank import RankResult, evaluate_rank
from ..retrieval import RetrievalLabels
from ..roc_histogram import RocHistogram
from .html_page import Section, make_page
from .ranked_images import best_worst_and_random, image_at, ranked_images

RANKS = (1, 5, 10)
# Maximum number of images of each run in the feature map.
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
    """Draw rank lists, curves and a feature map, and write an HTML page that shows them.

    Missing images are drawn as empty tiles, with one warning per run.

    Args:
        runs: features of a test set with queries, by label.
        output: folder for the PNG files and index.html, created if necessary.
        metric: "cosine" or "euclidean".
        num_queries: number of queries in each rank list; 0 draws none, so no images are needed.
        num_images: number of gallery images of each query.
        seed: seed of the random queries and of the images in the feature map.

    Returns:
        The path of index.html.

    Raises:
        ValueError: a run has no queries, or none of its queries has a match.
        FileNotFoundError: all images in the rank lists of a run are missing.
    """
    if num_queries < 0 or num_images < 1:
        raise ValueError(
            f"There is nothing to draw: {num_queries} queries and {num_images} images."
        )
    output = Path(output)
    # The page is UTF-8, but the name of a folder may contain other bytes.
    runs = {name: run._replace(name=printable(run.name)) for name, run in runs.items()}
    scored = {name: _score(name, features, metric) for name, features in runs.items()}
    sheets = {}
    if num_queries:
        for name, run in scored.items():
            chosen = best_worst_and_random(run.ranking.all_ap, num_queries, seed)
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
    """Rank the chosen queries of every kind; their images are looked up once for all kinds."""
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
            "both are needed: create the file with tools/extract_features.py --dataset."
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
