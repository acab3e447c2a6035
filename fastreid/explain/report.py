"""The files of explanations: a picture, and its numbers as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastreid.utils.atomic_file import replacing

from .pairs import PairExplanation
from .routing import DomainRouting


def write_report(output: Path, draw: Callable[[Path], None], numbers: Mapping[str, Any]) -> Path:
    """Write a picture and its numbers; both appear when both are complete.

    Args:
        output: the PNG file; its folder is made.
        draw: writes the picture to the path that it gets.
        numbers: what JSON can hold.

    Returns:
        The file of the numbers: that of the picture, with the suffix .json.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    file = output.with_suffix(".json")
    with replacing(output) as picture, replacing(file) as text:
        draw(picture)
        text.write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return file


def activation_numbers(images: Sequence[str], maps: Sequence[np.ndarray]) -> dict[str, Any]:
    """List activation maps.

    Args:
        images: names of the images.
        maps: (h, w) of each.
    """
    rows = [{"image": name, "map": values.tolist()} for name, values in zip(images, maps)]
    return {"images": rows}


def pair_numbers(
    query: str, results: Sequence[str], why: Sequence[PairExplanation]
) -> dict[str, Any]:
    """List the explanations of a query and its results.

    Args:
        query: name of the query.
        results: names of the results.
        why: the explanation of each result.
    """
    rows = [
        {
            "image": name,
            "cosine": pair.cosine,
            "bias": pair.bias,
            "rest": pair.rest,
            "query_map": pair.query_map.tolist(),
            "gallery_map": pair.gallery_map.tolist(),
        }
        for name, pair in zip(results, why)
    ]
    return {"query": query, "results": rows}


def routing_numbers(
    routing: DomainRouting, paths: Mapping[str, Sequence[str]], images: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """List the weights of domains and images.

    Args:
        routing: of the domains.
        paths: domain -> names of its images.
        images: name -> (S, K) of single images.
    """
    domains = {
        name: {
            "mean": each.mean(axis=0).tolist(),
            "std": each.std(axis=0).tolist(),
            "images": [
                {"image": image, "weights": weights.tolist()}
                for image, weights in zip(paths[name], each)
            ],
        }
        for name, each in routing.weights.items()
    }
    single = [{"image": name, "weights": each.tolist()} for name, each in images.items()]
    return {"domains": domains, "distances": routing.distances.tolist(), "images": single}
