"""`Visualizer`: fast-reid's interface to the pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .features import plot_roc
from .ranking import RankedImage, RankedQuery, draw_queries

ROC_FILE = "roc_info.npz"
_ORDERS = ("ascending", "descending")


class Visualizer:
    """Ranking lists and ROC curves of a test set whose distances are in memory.

    Args:
        dataset: the `CommDataset` of a test loader: every query, then every gallery image.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def get_model_output(
        self,
        all_ap: Sequence[float],
        dist: np.ndarray,
        q_pids: np.ndarray,
        g_pids: np.ndarray,
        q_camids: np.ndarray,
        g_camids: np.ndarray,
    ) -> None:
        """Take the results that the pictures show.

        Args:
            all_ap: (Q,) average precision of each query, in [0, 1].
            dist: (Q, G) distances.
            q_pids: (Q,) identity of each query.
            g_pids: (G,) identity of each gallery image.
            q_camids: (Q,) camera of each query.
            g_camids: (G,) camera of each gallery image.
        """
        self.all_ap, self.dist = np.asarray(all_ap), np.asarray(dist)
        self.q_pids, self.g_pids = np.asarray(q_pids), np.asarray(g_pids)
        self.q_camids, self.g_camids = np.asarray(q_camids), np.asarray(g_camids)
        self.num_query = len(self.q_pids)

    def get_matched_result(self, q_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Rank the gallery for one query, without images of its identity from its own camera.

        Args:
            q_index: number of the query.

        Returns:
            Whether each image has the query's identity, int32, and the numbers of the gallery
            images, both nearest first.
        """
        order = np.argsort(self.dist[q_index], kind="stable")
        matches = self.g_pids[order] == self.q_pids[q_index]
        kept = ~(matches & (self.g_camids[order] == self.q_camids[q_index]))
        return matches[kept].astype(np.int32), order[kept]

    def vis_rank_list(
        self,
        output: str,
        vis_label: bool = False,
        num_vis: int = 100,
        rank_sort: str = "ascending",
        label_sort: str = "ascending",
        max_rank: int = 5,
    ) -> list[int]:
        """Draw 0.jpg, 1.jpg, ...: a query with the first images of its ranking in each.

        Args:
            output: folder of the pictures.
            vis_label: whether to draw images of the query's identity in a second row.
            num_vis: number of queries to draw.
            rank_sort: "ascending": queries of the lowest average precision first; "descending".
            label_sort: "ascending": the second row begins with the farthest image, as in
                fast-reid; "descending".
            max_rank: number of images to draw in a row.

        Returns:
            The numbers of the queries, in the order of the pictures.

        Raises:
            ValueError: an order is neither "ascending" nor "descending".
        """
        for order in (rank_sort, label_sort):
            if order not in _ORDERS:
                raise ValueError(f"{order!r} is not an order; choose one of {_ORDERS}.")
        queries = np.argsort(self.all_ap, kind="stable")
        queries = queries[:: -1 if rank_sort == "descending" else 1][: int(num_vis)].tolist()
        folder = Path(output)
        folder.mkdir(parents=True, exist_ok=True)
        for number, query in enumerate(queries):
            matches, gallery = self.get_matched_result(query)
            rows = [self._row(query, gallery[:max_rank])]
            if vis_label:
                right = gallery[matches == 1][:: -1 if label_sort == "ascending" else 1]
                rows.append(self._row(query, right[:max_rank]))
            title = f"Query {query}"
            draw_queries(rows, folder / f"{number}.jpg", title=title, legend="nearest first")
        return queries

    def vis_roc_curve(self, output: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Draw roc.png over all pairs of a query and a gallery image.

        Args:
            output: folder of the picture.

        Returns:
            False and true positive rates, where pairs of two identities are the positive ones;
            the distances of pairs of one identity, and of two.
        """
        same, other = [], []
        for query in range(self.num_query):
            matches, gallery = self.get_matched_result(query)
            distances = self.dist[query, gallery]
            same.append(distances[matches == 1])
            other.append(distances[matches == 0])
        pos, neg = np.concatenate(same), np.concatenate(other)
        # A pair counts as positive if its distance is not below the limit.
        limits = np.unique(np.concatenate([pos, neg]))[::-1]
        fpr = 1 - np.searchsorted(np.sort(pos), limits) / max(len(pos), 1)
        tpr = 1 - np.searchsorted(np.sort(neg), limits) / max(len(neg), 1)
        fpr, tpr = np.r_[0, fpr], np.r_[0, tpr]
        folder = Path(output)
        folder.mkdir(parents=True, exist_ok=True)
        plot_roc({"model": (fpr, tpr)}, folder / "roc.png")
        return fpr, tpr, pos, neg

    @staticmethod
    def save_roc_info(
        output: str, fpr: np.ndarray, tpr: np.ndarray, pos: np.ndarray, neg: np.ndarray
    ) -> None:
        """Write what `vis_roc_curve` returned to roc_info.npz.

        Args:
            output: folder of the file.
            fpr: false positive rates.
            tpr: true positive rates.
            pos: distances of pairs of one identity.
            neg: distances of pairs of two identities.
        """
        np.savez(Path(output) / ROC_FILE, fpr=fpr, tpr=tpr, pos=pos, neg=neg)

    @staticmethod
    def load_roc_info(path: str) -> dict[str, np.ndarray]:
        """Read a file of `save_roc_info`: fpr, tpr, pos and neg."""
        with np.load(path, allow_pickle=False) as file:
            return dict(file)

    def _row(self, query: int, gallery: Iterable[int]) -> RankedQuery:
        path = self.dataset.paths[query]
        image = RankedImage(path, int(self.q_pids[query]), int(self.q_camids[query]), 0.0)
        ranked = tuple(
            RankedImage(
                self.dataset.paths[self.num_query + number],
                int(self.g_pids[number]),
                int(self.g_camids[number]),
                float(self.dist[query, number]),
            )
            for number in gallery
        )
        return RankedQuery(image, float(self.all_ap[query]), ranked)
