"""Plots of routing: bars of the adaptors' weights, and the domains' paths (Matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastreid.utils.visualizer.curves import COLOURS, new_figure, style_axis
from fastreid.utils.visualizer.features import principal_plane

from .routing import DomainRouting, unit_paths

_PANEL = (3.2, 3.0)


def require_matplotlib() -> None:
    """Check that routing can be drawn.

    Raises:
        ImportError: if Matplotlib is missing; the message names the command that installs it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The picture of routing needs Matplotlib: pip install matplotlib"
        ) from error


def routing_figure(routing: DomainRouting, images: Mapping[str, np.ndarray]) -> Any:
    """Draw the weights of the adaptors in each stage, and the paths of all images.

    Args:
        routing: result of `compare_domains`; may be of no domain.
        images: name -> (S, K) weights of single images, which are drawn as points.

    Returns:
        A figure of Matplotlib. The bars of a domain are the means over its images, with the
        standard deviations. Below are the paths in the plane of their first two principal
        components, and the distances of the domains' mean paths.

    Raises:
        ImportError: if Matplotlib is missing.
        ValueError: if an image has the name of a domain.
    """
    require_matplotlib()
    common = sorted(routing.weights.keys() & images.keys())
    if common:
        raise ValueError(f"An image and a domain have the same name {common[0]!r}.")
    groups = {**routing.weights, **{name: each[None] for name, each in images.items()}}
    stages = next(iter(groups.values())).shape[1]
    columns = max(stages, 3)
    figure = new_figure(2, columns, inches=_PANEL)
    grid = figure.add_gridspec(2, columns)
    for stage in range(stages):
        axis = figure.add_subplot(grid[0, stage])
        _draw_bars(axis, {name: each[:, stage] for name, each in groups.items()})
        style_axis(axis, f"Stage {stage + 1}", "adaptor", "weight" if stage == 0 else "")
    middle = columns // 2
    _draw_plane(figure.add_subplot(grid[1, :middle]), groups, single=images)
    if routing.weights:
        _draw_distances(figure.add_subplot(grid[1, middle:]), routing)
    return figure


def _draw_bars(axis: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Draw groups of bars: name -> (N, K) of one stage."""
    width = 0.8 / len(weights)
    for number, (name, each) in enumerate(weights.items()):
        places = np.arange(each.shape[1]) + (number - (len(weights) - 1) / 2) * width
        spread = each.std(axis=0) if len(each) > 1 else None
        colour = COLOURS[number % len(COLOURS)]
        style = {"color": colour, "error_kw": {"linewidth": 0.8}, "label": name}
        axis.bar(places, each.mean(axis=0), width, yerr=spread, **style)
    adaptors = next(iter(weights.values())).shape[1]
    axis.set_xticks(np.arange(adaptors), [str(1 + number) for number in range(adaptors)])
    axis.axhline(1 / adaptors, color="#9aa0a8", linewidth=0.8, linestyle="--")
    axis.set_ylim(bottom=0)


def _draw_plane(
    axis: Any, groups: Mapping[str, np.ndarray], *, single: Mapping[str, np.ndarray]
) -> None:
    paths = np.concatenate([unit_paths(each) for each in groups.values()])
    points = principal_plane(paths)
    start = 0
    for number, (name, each) in enumerate(groups.items()):
        chosen = points[start : start + len(each)]
        start += len(each)
        size, marker = (90, "*") if name in single else (10, "o")
        colour = COLOURS[number % len(COLOURS)]
        axis.scatter(*chosen.T, s=size, marker=marker, color=colour, linewidths=0, label=name)
    style_axis(axis, "Paths of images", "first principal direction", "second principal direction")
    axis.legend(fontsize=7, frameon=False, markerscale=1.2)


def _draw_distances(axis: Any, routing: DomainRouting) -> None:
    names = list(routing.weights)
    axis.imshow(routing.distances, cmap="Blues", vmin=0)
    darkest = routing.distances.max()
    for row, values in enumerate(routing.distances):
        for column, value in enumerate(values):
            colour = "white" if value > 0.6 * darkest > 0 else "black"
            axis.text(column, row, f"{value:.3f}", ha="center", va="center", color=colour)
    axis.set_xticks(range(len(names)), names, fontsize=8, rotation=20)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_title("Distances of mean paths", fontsize=11, loc="left", fontweight="bold")
