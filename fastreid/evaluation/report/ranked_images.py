"""The images nearest to some queries, ready to be drawn."""

from __future__ import annotations

import numpy as np

from fastreid.utils.compute_dist import DistanceRows
from fastreid.utils.compute_dist.nearest import nearest_indices
from fastreid.utils.labels import UNKNOWN, shown_label
from fastreid.utils.visualizer import RankedImage

from ..features.feature_table import ImageFeatures


def ranked_images(
    query: ImageFeatures, gallery: ImageFeatures, *, count: int, metric: str = "cosine"
) -> list[list[RankedImage]]:
    """Find the nearest gallery images of every query; what does not count is marked, not left out.

    Args:
        query: Q images; identity -1 is unknown.
        gallery: G images.
        count: how many to find.
        metric: "cosine" or "euclidean".

    Returns:
        For each of the Q queries min(count, G) images, nearest first.

    Raises:
        ValueError: the features differ in length, or the metric is unknown.
    """
    distances = DistanceRows(query.features, gallery.features, metric=metric)
    found = []
    for number, nearest in enumerate(nearest_indices(distances, count)):
        dist = distances[number : number + 1][0]
        pid, camid = query.pids[number], query.camids[number]
        is_junk = (gallery.pids == pid) & (gallery.camids == camid) & (pid != UNKNOWN)
        found.append(
            [
                image_at(gallery, place, dist[place])._replace(is_junk=bool(is_junk[place]))
                for place in nearest
            ]
        )
    return found


def image_at(images: ImageFeatures, index: int, distance: float) -> RankedImage:
    """One image with its distance.

    Args:
        images: (N, D) features and (N,) labels.
        index: which.
        distance: from the query.

    Returns:
        What a picture shows of it.
    """
    path, pid, camid = images.paths[index], images.pids[index], images.camids[index]
    names = (images.pid_names, images.camid_names)
    pid_name, camid_name = ("" if column is None else str(column[index]) for column in names)
    return RankedImage(
        *(str(path), int(pid), int(camid), float(distance)),
        pid_name=shown_label(pid, pid_name),
        camid_name=shown_label(camid, camid_name),
    )


def most_and_least(values: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
    """Choose queries by a score.

    Args:
        values: (V,) score of each.
        count: of each kind; fewer if there are fewer.
        seed: of the random ones.

    Returns:
        "best", "worst" and "random": indices, from the highest score to the lowest.
    """
    order = np.argsort(-values, kind="stable")
    drawn = np.random.default_rng(seed).permutation(len(order))[:count]
    return {"best": order[:count], "worst": order[-count:], "random": order[np.sort(drawn)]}
