"""The files of explanations: a picture, and its numbers as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastreid.utils.atomic_file import replacing
from fastreid.utils.file_io.output_path import check_output_file

from .pairs import PairExplanation
from .routing import DomainRouting

# The keys of the numbers of each command; other JSON files are not replaced.
_KEYS = ({"images"}, {"query", "results"}, {"domains", "distances", "images"})


def check_report(output: Path, option: str) -> None:
    """Check that a picture and its numbers can be written or replaced; nothing is created.

    Args:
        output: the PNG file.
        option: the command-line option, for messages.

    Raises:
        ValueError: the picture is no PNG file, or the file of the numbers has something else.
        OSError: a file or its folder cannot be written.
    """
    check_output_file(output, option, suffixes=(".png",))
    file = _numbers_file(output)
    check_output_file(file, f"{option}, the file of the numbers")
    if file.exists() and not _has_our_keys(file):
        raise ValueError(
            f"{option}: the numbers are written to {file}, which exists and is not a file of "
            "explanations; give another name."
        )


def _numbers_file(output: Path) -> Path:
    return output.with_suffix(".json")


def _has_our_keys(file: Path) -> bool:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(content, dict) and set(content) in _KEYS


def write_report(output: Path, draw: Callable[[Path], None], numbers: Mapping[str, Any]) -> Path:
    """Write a picture and its numbers; both appear when both are complete.

    Args:
        output: the PNG file; its folder is made.
        draw: writes the picture to the path that it gets.
        numbers: what JSON can hold.

    Returns:
        The file of the numbers: that of the picture, with the suffix .json.

    Raises:
        ValueError: the picture is no PNG file, or the file of the numbers has something else.
        OSError: a file or its folder cannot be written.
    """
    check_report(output, "output")
    output.parent.mkdir(parents=True, exist_ok=True)
    file = _numbers_file(output)
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
