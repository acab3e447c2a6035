"""Labels of queries and gallery: which pairs are matches, and why there may be none."""

from __future__ import annotations

import numpy as np

from fastreid.utils.labels import whole_numbers


class RetrievalLabels:
    """Identities and cameras of queries and gallery.

    Args:
        q_pids: (Q,) identity of each query.
        g_pids: (G,) identity of each gallery image.
        q_camids: (Q,) camera of each query.
        g_camids: (G,) camera of each gallery image.

    Raises:
        ValueError: a label is not a whole number or does not fit into 64 bits.
    """

    def __init__(
        self, q_pids: np.ndarray, g_pids: np.ndarray, q_camids: np.ndarray, g_camids: np.ndarray
    ) -> None:
        self.q_pids, self.g_pids = _labels(q_pids, "query pid"), _labels(g_pids, "gallery pid")
        self.q_camids, self.g_camids = (
            _labels(q_camids, "query camid"),
            _labels(g_camids, "gallery camid"),
        )
        self._by_pid = np.argsort(self.g_pids, kind="stable")
        in_order = self.g_pids[self._by_pid]
        self._first = np.searchsorted(in_order, self.q_pids, side="left")
        self._last = np.searchsorted(in_order, self.q_pids, side="right")

    @property
    def num_queries(self) -> int:
        """Number of queries, Q."""
        return len(self.q_pids)

    @property
    def num_gallery(self) -> int:
        """Number of gallery images, G."""
        return len(self.g_pids)

    def relevance(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Compute which gallery images have a query's identity, and which are scored.

        Args:
            query: index of the query.

        Returns:
            is_match and is_kept, (G,) bool each. Images with the query's identity and camera are
            not kept.
        """
        is_match = self.g_pids == self.q_pids[query]
        return is_match, ~(is_match & (self.g_camids == self.q_camids[query]))

    def matches(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the gallery images of a query's identity; faster than `relevance`.

        Args:
            query: index of the query.

        Returns:
            (M,) indices of the matches, and (J,) indices of the junk images, which are from the
            query's camera and are ignored; both ascending.
        """
        of_identity = self._by_pid[self._first[query] : self._last[query]]
        is_own = self.g_camids[of_identity] == self.q_camids[query]
        return of_identity[~is_own], of_identity[is_own]

    def check(self, shape: tuple[int, ...]) -> None:
        """Check the number of labels against the shape of a distance matrix.

        Args:
            shape: (Q, G), the shape of the distances.

        Raises:
            ValueError: queries or gallery are empty, or a length differs.
        """
        if not self.num_queries or not self.num_gallery:
            raise ValueError(
                f"There is nothing to rank: {self.num_queries} queries and {self.num_gallery} "
                "gallery images. Check the query and gallery folders of the data set."
            )
        lengths = (len(self.q_pids), len(self.q_camids), len(self.g_pids), len(self.g_camids))
        if lengths != (shape[0], shape[0], shape[1], shape[1]):
            raise ValueError(
                f"Labels do not match the distances: {shape[0]} x {shape[1]} distances, but query "
                f"pids {lengths[0]}, query camids {lengths[1]}, gallery pids {lengths[2]}, gallery "
                f"camids {lengths[3]}."
            )

    def explain_no_match(self) -> str:
        """Explain why no query has a match.

        Returns:
            Sentences with the number of images, identities and cameras, and the likely cause.
        """
        shared = len(np.intersect1d(self.q_pids, self.g_pids))
        q_cameras, g_cameras = np.unique(self.q_camids), np.unique(self.g_camids)
        if not shared:
            cause = (
                "query and gallery have no identity in common. Check that they are folders of the "
                "same data set, and that identities are parsed correctly from the file names."
            )
        elif len(np.union1d(q_cameras, g_cameras)) == 1:
            cause = (
                "all images are from one camera, and images of the query's identity from the "
                "query's camera are ignored. Check that cameras are parsed correctly from the file "
                "names."
            )
        else:
            cause = (
                "each query's identity appears only in the query's own camera, and such images are "
                "ignored. Check that cameras are parsed correctly from the file names."
            )
        return (
            f"No query has a match in the gallery: {self.num_queries} queries, {self.num_gallery} "
            f"gallery images, {shared} identities in both, {len(q_cameras)} query cameras, "
            f"{len(g_cameras)} gallery cameras. Likely cause: {cause}"
        )


def _labels(values: np.ndarray, what: str) -> np.ndarray:
    """Convert numbers to int64, so that comparisons are exact; texts are not converted."""
    array = np.asarray(values)
    return array if array.dtype.kind in "US" else whole_numbers(array, what)
