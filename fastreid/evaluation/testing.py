"""Format results: as a table in the log, and as a flat dict for event writers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tabulate import tabulate
from termcolor import colored

logger = logging.getLogger(__name__)


def print_csv_format(results: Mapping[str, Any]) -> None:
    """Log the scores of one data set as a table in fast-reid's layout.

    Args:
        results: the name of the data set under the key "dataset", and scores by name, in the order
            of the columns.

    Raises:
        KeyError: the key "dataset" is missing.
    """
    if "dataset" not in results:
        raise KeyError(f"Results to print need the key 'dataset'; they have {list(results)}.")
    scores = {name: score for name, score in results.items() if name != "dataset"}
    table = tabulate(
        [(results["dataset"], *scores.values())],
        headers=["Dataset", *scores],
        tablefmt="pipe",
        floatfmt=".2f",
        numalign="left",
    )
    logger.info("Evaluation results in csv format:\n%s", colored(table, "cyan"))


def flatten_results_dict(results: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested results: {"Market1501": {"mAP": 1.0}} becomes {"Market1501/mAP": 1.0}.

    Args:
        results: scores, or mappings of them, nested to any depth.

    Returns:
        A flat dict.

    Examples:
        >>> from fastreid.evaluation import flatten_results_dict
        >>> flatten_results_dict({"Market1501": {"Rank-1": 95.4, "mAP": 88.2}, "epoch": 60})
        {'Market1501/Rank-1': 95.4, 'Market1501/mAP': 88.2, 'epoch': 60}
    """
    flat = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            inner = flatten_results_dict(value)
            flat.update({f"{name}/{key}": score for key, score in inner.items()})
        else:
            flat[name] = value
    return flat
