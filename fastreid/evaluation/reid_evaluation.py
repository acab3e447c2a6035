"""Retrieval scores of a test set: Rank-k, mAP and mINP, with the options of the TEST section."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastreid.utils.compute_dist import DistanceRows, normalize_features
from fastreid.utils.labels import LabelNames
from fastreid.utils.visualizer import RankingReport, draw_rank_list, plot_cmc

from .device import choose_product
from .evaluator import DatasetEvaluator
from .features.feature_table import FeatureTable, ImageFeatures
from .query_expansion import expand_features
from .rank import RankResult, evaluate_rank
from .report import make_report
from .rerank import JaccardRows, RerankedRows
from .retrieval import RetrievalLabels
from .verification import verification_rates

if TYPE_CHECKING:
    from fastreid.config import CfgNode

RANKS = (1, 5, 10)
FALSE_POSITIVE_RATES = (1e-4, 1e-3, 1e-2)

logger = logging.getLogger(__name__)


class ReidEvaluator(DatasetEvaluator):
    """Collects features, then ranks the gallery for every query and scores the rankings.

    After `evaluate`, the attribute ``report`` has the data for the plots; before, it is None.

    Args:
        cfg: the configuration; its TEST section is used.
        num_query: number of queries, which are the first rows of the data set; the rest is gallery.
        output_dir: default folder of `write_report`.
        label_names: original texts of the labels of all rows, for the plots; None if unknown.
    """

    def __init__(
        self,
        cfg: CfgNode,
        num_query: int,
        output_dir: str | None = None,
        *,
        label_names: LabelNames | None = None,
    ) -> None:
        self.cfg = cfg
        self.report: RankingReport | None = None
        self._num_query = num_query
        self._output_dir = output_dir
        self._label_names = label_names
        self.reset()

    def reset(self) -> None:
        """Discard the features and the last report."""
        test = self.cfg.TEST
        # Query expansion needs the original features; cosine distances only their direction.
        self._are_unit = test.METRIC == "cosine" and not test.AQE.ENABLED
        self._table = FeatureTable(are_unit=self._are_unit)
        self.report = None

    def process(self, inputs: dict[str, Any], outputs: np.ndarray) -> None:
        """Collect one batch.

        Args:
            inputs: the batch, with columns targets, camids and img_paths, (N,) each.
            outputs: (N, D) features.

        Raises:
            ValueError: columns differ in length, or features are zero, not finite, or of another
                dimension than earlier ones.
        """
        self._table.add_outputs(inputs, outputs)

    def evaluate(self) -> OrderedDict:
        """Score the features and fill ``report``.

        Returns:
            Rank-1, Rank-5, Rank-10, mAP, mINP and metric (mean of mAP and Rank-1) in percent. If
            TEST.ROC.ENABLED, also TPR@FPR=... in [0, 1], as in fast-reid.

        Raises:
            ValueError: queries or gallery are empty, or no query has a match; the message names the
                likely cause.
        """
        query, gallery = self._sides()
        distances = self._distances()
        labels = (query.pids, gallery.pids, query.camids, gallery.camids)
        ranking = evaluate_rank(
            distances,
            *labels,
            use_metric_cuhk03=self.cfg.TEST.SINGLE_GALLERY_SHOT.ENABLED,
            seed=self.cfg.TEST.SINGLE_GALLERY_SHOT.SEED,
        )
        if ranking.num_valid < ranking.num_queries:
            logger.info(
                "%d of %d queries have no match in the gallery and are excluded.",
                *(ranking.num_queries - ranking.num_valid, ranking.num_queries),
            )
        results = self._scores(ranking)
        if self.cfg.TEST.ROC.ENABLED:
            rates = verification_rates(distances, RetrievalLabels(*labels), FALSE_POSITIVE_RATES)
            results.update((f"TPR@FPR={rate:.0e}", value) for rate, value in rates.items())
        self.report = make_report(ranking, distances, query, gallery)
        return results

    def write_report(
        self,
        report: RankingReport | None = None,
        output_dir: str | Path | None = None,
        name: str = "test",
    ) -> None:
        """Write cmc_<name>.png and ranklist_<name>.png.

        Args:
            report: data to plot; None takes that of the last evaluation.
            output_dir: folder, created if necessary; None takes that of the constructor.
            name: name of the data set.

        Raises:
            ValueError: there was no evaluation, or no folder is given.
        """
        report = report or self.report
        folder = output_dir or self._output_dir
        if report is None or folder is None:
            raise ValueError("write_report needs a previous evaluation and an output_dir.")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        plot_cmc({name: report.cmc}, folder / f"cmc_{name}.png", mean_aps={name: report.mean_ap})
        draw_rank_list(report, folder / f"ranklist_{name}.png")

    def _sides(self) -> tuple[ImageFeatures, ImageFeatures]:
        everything = self._table.images().with_names(self._label_names)
        num_rows, cut = len(everything.features), self._num_query
        if not 0 < cut < num_rows:
            raise ValueError(
                f"There is nothing to rank: {num_rows} images, of which the first {cut} are "
                "queries; at least one query and one gallery image are needed. Check the query "
                "and gallery folders of the data set."
            )
        return everything.rows(slice(cut)), everything.rows(slice(cut, None))

    def _distances(self) -> DistanceRows | RerankedRows:
        test, are_unit = self.cfg.TEST, self._are_unit
        features, make_product = self._table.images().features, choose_product()
        if test.AQE.ENABLED:
            logger.info("Test with average query expansion")
            features = expand_features(
                features,
                qe_times=test.AQE.QE_TIME,
                qe_k=test.AQE.QE_K,
                alpha=test.AQE.ALPHA,
                make_product=make_product,
            )
            if test.METRIC == "cosine" and test.AQE.QE_TIME > 0:
                are_unit = True
                normalize_features(features, out=features)
        query, gallery = features[: self._num_query], features[self._num_query :]
        options = {"metric": test.METRIC, "are_unit": are_unit, "make_product": make_product}
        distances = DistanceRows(query, gallery, **options)
        if not test.RERANK.ENABLED:
            return distances
        logger.info("Test with k-reciprocal re-ranking")
        if test.METRIC == "cosine" and not are_unit:
            features = normalize_features(features)
        options = {"k1": test.RERANK.K1, "k2": test.RERANK.K2, "make_product": make_product}
        jaccard = JaccardRows(features, self._num_query, **options)
        return RerankedRows(distances, jaccard, lambda_value=test.RERANK.LAMBDA)

    def _scores(self, ranking: RankResult) -> OrderedDict:
        rank_1, mean_ap = float(ranking.cmc[0]), ranking.mean_ap
        results = OrderedDict((f"Rank-{k}", float(ranking.cmc[k - 1]) * 100) for k in RANKS)
        results["mAP"] = mean_ap * 100
        results["mINP"] = ranking.mean_inp * 100
        results["metric"] = (mean_ap + rank_1) / 2 * 100
        return results
