"""Retrieval scores of a test set: Rank-k, mAP, mINP, and what the TEST section asks for."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, nearest_indices, normalize_features
from fastreid.utils.visualizer import (
    RankedImage,
    RankedQuery,
    RankingReport,
    draw_rank_list,
    plot_cmc,
)

from .evaluator import DatasetEvaluator
from .query_expansion import aqe
from .rank import RankResult, evaluate_rank
from .rerank import jaccard_distance, re_ranking
from .retrieval import RetrievalLabels
from .roc import evaluate_roc, rate_at, roc_curve

if TYPE_CHECKING:
    from fastreid.config import CfgNode

RANKS = (1, 5, 10)
FALSE_POSITIVE_RATES = (1e-4, 1e-3, 1e-2)
REPORT_QUERIES = 8
REPORT_IMAGES = 10

logger = logging.getLogger(__name__)


class _Side(NamedTuple):
    """Queries or gallery: (N, D) features, (N,) pids and camids, N paths."""

    features: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    paths: np.ndarray


class ReidEvaluator(DatasetEvaluator):
    """Gathers features, then ranks the gallery for every query.

    ``report`` holds, after `evaluate`, what the pictures show; None before.

    Args:
        cfg: its TEST section says what to compute.
        num_query: the first so many rows of the data set are queries, the others gallery.
        output_dir: where `write_report` writes unless told otherwise.
    """

    def __init__(self, cfg: CfgNode, num_query: int, output_dir: str | None = None) -> None:
        self.cfg = cfg
        self.report: RankingReport | None = None
        self._num_query = num_query
        self._output_dir = output_dir
        self._batches: list[_Side] = []

    def reset(self) -> None:
        """Forget the features and the last report."""
        self._batches = []
        self.report = None

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Take in one batch.

        Args:
            inputs: columns targets, camids and img_paths, (N,).
            outputs: (N, D) features.

        Raises:
            ValueError: the numbers of rows differ.
        """
        features = np.asarray(outputs, np.float32)
        side = _Side(features, *(np.asarray(inputs[k]) for k in ("targets", "camids", "img_paths")))
        lengths = [len(column) for column in side]
        if len(set(lengths)) != 1:
            raise ValueError(
                "A batch must have one feature, pid, camid and path per image, not "
                f"{dict(zip(side._fields, lengths))}."
            )
        self._batches.append(side)

    def evaluate(self) -> OrderedDict:
        """Score the features and fill ``report``.

        Returns:
            Rank-1, Rank-5, Rank-10, mAP, mINP and metric (mean of mAP and Rank-1) in percent, and
            TPR@FPR=... in [0, 1] when TEST.ROC.ENABLED, as in fast-reid.

        Raises:
            ValueError: features are not finite, queries or gallery are empty, or no query has a
                match; the message says what is likely wrong.
        """
        query, gallery = self._sides()
        distances = self._distances(query.features, gallery.features)
        labels = (query.pids, gallery.pids, query.camids, gallery.camids)
        ranking = evaluate_rank(distances, *labels)
        if ranking.num_valid < ranking.num_queries:
            logger.info(
                "%d of %d queries have no match in the gallery and are left out.",
                *(ranking.num_queries - ranking.num_valid, ranking.num_queries),
            )
        results = self._scores(ranking)
        if self.cfg.TEST.ROC.ENABLED:
            curve = roc_curve(*evaluate_roc(distances, *labels))
            for rate in FALSE_POSITIVE_RATES:
                results[f"TPR@FPR={rate:.0e}"] = rate_at(*curve, rate)
        self.report = _make_report(ranking, distances, query, gallery)
        return results

    def write_report(
        self,
        report: RankingReport | None = None,
        output_dir: str | Path | None = None,
        name: str = "test",
    ) -> None:
        """Write cmc_<name>.png and ranklist_<name>.png.

        Args:
            report: what to show; the last evaluation's by default.
            output_dir: folder, made if absent; the constructor's by default.
            name: of the data set.

        Raises:
            ValueError: there is no report yet, or no folder.
        """
        report = report or self.report
        folder = output_dir or self._output_dir
        if report is None or folder is None:
            raise ValueError("write_report needs an evaluation before it and an output_dir.")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        plot_cmc({name: report.cmc}, folder / f"cmc_{name}.png", mean_aps={name: report.mean_ap})
        draw_rank_list(report, folder / f"ranklist_{name}.png")

    def _sides(self) -> tuple[_Side, _Side]:
        columns = [np.concatenate(column) for column in zip(*self._batches)]
        num_rows = len(columns[0]) if columns else 0
        if not 0 < self._num_query < num_rows:
            raise ValueError(
                f"There is nothing to rank: {num_rows} images, of which the first "
                f"{self._num_query} are queries; at least one query and one gallery image are "
                "needed. Check the query and gallery folders of the data set."
            )
        everything = _Side(*columns)
        # The pieces are let go: features of a large test set should not be held twice.
        self._batches = [everything]
        _check_finite(everything)
        cut = self._num_query
        return (
            _Side(*(column[:cut] for column in everything)),
            _Side(*(column[cut:] for column in everything)),
        )

    def _distances(self, query: np.ndarray, gallery: np.ndarray) -> np.ndarray | DistanceRows:
        test = self.cfg.TEST
        if test.AQE.ENABLED:
            logger.info("Test with average query expansion")
            query, gallery = aqe(
                query,
                gallery,
                qe_times=test.AQE.QE_TIME,
                qe_k=test.AQE.QE_K,
                alpha=test.AQE.ALPHA,
            )
        distances = DistanceRows(query, gallery, metric=test.METRIC)
        if not test.RERANK.ENABLED:
            return distances
        logger.info("Test with k-reciprocal re-ranking")
        if test.METRIC == "cosine":
            query, gallery = normalize_features(query), normalize_features(gallery)
        jaccard = jaccard_distance(query, gallery, k1=test.RERANK.K1, k2=test.RERANK.K2)
        return re_ranking(distances, jaccard, lambda_value=test.RERANK.LAMBDA)

    def _scores(self, ranking: RankResult) -> OrderedDict:
        rank_1, mean_ap = float(ranking.cmc[0]), ranking.mean_ap
        results = OrderedDict((f"Rank-{k}", float(ranking.cmc[k - 1]) * 100) for k in RANKS)
        results["mAP"] = mean_ap * 100
        results["mINP"] = ranking.mean_inp * 100
        results["metric"] = (mean_ap + rank_1) / 2 * 100
        return results


def _check_finite(images: _Side) -> None:
    broken = np.flatnonzero(~np.isfinite(images.features).all(axis=1))
    if len(broken):
        raise ValueError(
            f"Features of {len(broken)} of {len(images.features)} images are not finite (NaN or "
            f"infinite), first {images.paths[broken[0]]}. Likely cause: training diverged, or the "
            "checkpoint is damaged; try an earlier checkpoint or a lower SOLVER.BASE_LR."
        )


def _make_report(
    ranking: RankResult, distances: np.ndarray | DistanceRows, query: _Side, gallery: _Side
) -> RankingReport:
    """Pick queries from the best to the worst and look up the first images of each."""
    labels = RetrievalLabels(query.pids, gallery.pids, query.camids, gallery.camids)
    by_ap = np.argsort(-ranking.all_ap, kind="stable")
    picks = by_ap[_spread(len(by_ap), REPORT_QUERIES)]
    rows = []
    for pick in picks:
        index = ranking.query_indices[pick]
        _, is_kept = labels.relevance(index)
        dist = np.where(is_kept, distances[index : index + 1][0], np.inf)
        nearest = nearest_indices(dist[np.newaxis], min(REPORT_IMAGES, int(is_kept.sum())))[0]
        images = tuple(_image(gallery, place, dist[place]) for place in nearest)
        own = _image(query, index, 0.0)
        rows.append(RankedQuery(own, float(ranking.all_ap[pick]), images))
    return RankingReport(
        cmc=ranking.cmc,
        all_ap=ranking.all_ap,
        num_queries=ranking.num_queries,
        queries=tuple(rows),
    )


def _image(side: _Side, index: int, distance: float) -> RankedImage:
    path, pid, camid = side.paths[index], side.pids[index], side.camids[index]
    return RankedImage(str(path), int(pid), int(camid), float(distance))


def _spread(length: int, count: int) -> np.ndarray:
    """Indices 0 to length - 1, evenly spread, both ends included, at most `count`."""
    return np.unique(np.linspace(0, length - 1, count).round().astype(int))
