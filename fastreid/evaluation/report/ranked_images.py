"""Select queries, and find their nearest gallery images for drawing."""

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
    """Find the nearest gallery images of every query, including junk images, which are marked.

    Args:
        query: Q images; identity -1 is unknown.
        gallery: G images.
        count: number of images per query.
        metric: "cosine" or "euclidean".

    Returns:
        For each query min(count, G) images, nearest first.

    Raises:
        ValueError: the dimensions of the features differ, or the metric is unknown.
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
    """Convert one image of a feature set for drawing.

    Args:
        images: N images.
        index: index of the image.
        distance: its distance to the query.

    Returns:
        The image with its labels and distance.
    """
    path, pid, camid = images.paths[index], images.pids[index], images.camids[index]
    names = (images.pid_names, images.camid_names)
    pid_name, camid_name = ("" if column is None else str(column[index]) for column in names)
    return RankedImage(
        *(str(path), int(pid), int(camid), float(distance)),
        pid_name=shown_label(pid, pid_name),
        camid_name=shown_label(camid, camid_name),
    )


def best_worst_and_random(values: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
    """Select queries by their scores.

    Args:
        values: (V,) score of each query.
        count: number of queries of each kind, at most V.
        seed: seed of the random selection.

    Returns:
        Indices for "best", "worst" and "random", each from the highest score to the lowest.
    """
    order = np.argsort(-values, kind="stable")
    drawn = np.random.default_rng(seed).permutation(len(order))[:count]
    return {"best": order[:count], "worst": order[-count:], "random": order[np.sort(drawn)]}
