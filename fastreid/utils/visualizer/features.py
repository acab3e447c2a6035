"""Plots of ROC curves and of features in two dimensions; without Matplotlib nothing is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..labels import UNKNOWN
from ..processor import matmul
from .curves import COLOURS, new_figure, save_figure, style_axis

# Number of points at which a curve is drawn.
CURVE_POINTS = 2000
# The lowest false positive rate on the axis.
LOWEST_RATE = 1e-5
# Number of identities with a colour of their own.
NUM_IDENTITIES = 10


def plot_roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], output: str | Path) -> bool:
    """Plot one or more ROC curves over a logarithmic false positive rate.

    A positive is a pair of images of two different identities, as in fast-reid.

    Args:
        curves: false and true positive rates by label: (C,) each, ascending, in [0, 1].
        output: PNG file to write.

    Returns:
        Whether the file was written: False if Matplotlib is missing.
    """
    figure = new_figure(1, 1, inches=(6.4, 4.4))
    if figure is None:
        return False
    axis = figure.subplots()
    wanted = np.geomspace(LOWEST_RATE, 1, CURVE_POINTS)
    for number, (label, (false_rate, true_rate)) in enumerate(curves.items()):
        # Of several corners at the same false positive rate, the last one is the highest.
        places = np.searchsorted(false_rate, wanted, side="right") - 1
        shown = 100 * np.asarray(true_rate)[places]
        at = shown[np.argmin(np.abs(wanted - 1e-3))]
        legend = f"{label}: {at:.1f} % at 1e-3"
        axis.plot(wanted, shown, label=legend, color=COLOURS[number % len(COLOURS)], linewidth=1.8)
    style_axis(
        axis,
        "ROC (positive: pairs of two identities)",
        "False positive rate",
        "True positive rate (%)",
    )
    axis.set_xscale("log")
    axis.set_xlim(LOWEST_RATE, 1)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_ylim(top=101)
    axis.legend(loc="lower right", fontsize=9, frameon=False)
    save_figure(figure, output)
    return True


def plot_feature_map(
    points: np.ndarray, domains: Sequence[str], pids: np.ndarray, output: str | Path
) -> bool:
    """Plot features in two dimensions, in one panel coloured by domain, in one by identity.

    Args:
        points: (N, 2) result of `principal_plane`.
        domains: name of the domain of each feature.
        pids: (N,) identities, -1 if unknown; those with the most images are coloured.
        output: PNG file to write.

    Returns:
        Whether the file was written: False if Matplotlib is missing.
    """
    figure = new_figure(1, 2, inches=(6.0, 5.0))
    if figure is None:
        return False
    left, right = figure.subplots(1, 2)
    names = np.asarray(domains, np.str_)
    _scatter(left, points, {name: names == name for name in sorted(set(domains))})
    style_axis(left, "By domain", "first principal direction", "second principal direction")
    right.scatter(*points.T, s=4, color="#d3d6db", linewidths=0)
    _scatter(right, points, _largest_identities(names, np.asarray(pids)))
    style_axis(right, "By identity (those with most images)", "first principal direction", "")
    save_figure(figure, output)
    return True


def _largest_identities(domains: np.ndarray, pids: np.ndarray) -> dict[str, np.ndarray]:
    keys = np.char.add(np.char.add(domains, " "), pids.astype(np.str_))
    known = keys[pids != UNKNOWN]
    names, counts = np.unique(known, return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")[:NUM_IDENTITIES]]
    return {name: keys == name for name in largest}


def _scatter(axis: Any, points: np.ndarray, groups: Mapping[str, np.ndarray]) -> None:
    for number, (label, chosen) in enumerate(groups.items()):
        colour, marker = COLOURS[number % len(COLOURS)], "o^"[number // len(COLOURS) % 2]
        axis.scatter(*points[chosen].T, s=9, color=colour, marker=marker, label=label, linewidths=0)
    if groups:
        axis.legend(fontsize=7.5, frameon=False, markerscale=2, loc="best")


def principal_plane(features: np.ndarray) -> np.ndarray:
    """Normalize features and project them onto their first two principal components (PCA).

    Args:
        features: (N, D).

    Returns:
        (N, 2), float32. The sign of each component is chosen so that its largest entry is positive.
    """
    features = np.asarray(features, np.float32)
    units = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    units = units - units.mean(axis=0)
    _, directions = np.linalg.eigh(matmul(units.T, units).astype(np.float64))
    plane = directions[:, : -3 if directions.shape[1] > 1 else None : -1]
    largest = np.abs(plane).argmax(axis=0)
    plane = plane * np.sign(plane[largest, np.arange(plane.shape[1])])
    points = matmul(units, plane.astype(np.float32)).astype(np.float32)
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 1)))
    return points
