"""The tasks of evaluation.py in a checkout of fast-reid, imported instead of this package."""

from __future__ import annotations

import collections
import collections.abc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def fastreid_task(
    name: str, features: np.ndarray, labels: list[np.ndarray], checkout: Path
) -> Callable[[], dict[str, Any]]:
    """Return the function of fast-reid to measure, as in its evaluator on a CPU."""
    sys.path[:] = [path for path in sys.path if path != str(Path(__file__).resolve().parents[1])]
    sys.path.insert(0, str(checkout))
    # fast-reid imports this name, which Python 3.10 has removed.
    vars(collections)["Mapping"] = collections.abc.Mapping
    import torch

    from fastreid.evaluation import rank
    from fastreid.evaluation.query_expansion import aqe
    from fastreid.utils.compute_dist import build_dist, compute_jaccard_distance

    if name != "aqe" and not rank.IS_CYTHON_AVAI:
        raise SystemExit(f"The Cython ranker of {checkout} is not built; see --help.")
    tensors = torch.from_numpy(features)
    cut = len(labels[0])

    def score(distances: np.ndarray) -> dict[str, Any]:
        cmc, all_ap, _ = rank.evaluate_rank(distances, *labels)
        return {"mAP": float(np.mean(all_ap)), "Rank-1": float(cmc[0])}

    def ranking() -> dict[str, Any]:
        return score(build_dist(tensors[:cut], tensors[cut:], "cosine"))

    def reranking() -> dict[str, Any]:
        original = build_dist(tensors[:cut], tensors[cut:], "cosine")
        units = torch.nn.functional.normalize(tensors)
        jaccard = compute_jaccard_distance(units, k1=20, k2=6, search_option=3)
        return score(0.7 * jaccard[:cut, cut:] + 0.3 * original)

    def expansion() -> dict[str, Any]:
        expanded = torch.cat(aqe(tensors[:cut], tensors[cut:], 1, 5, 3.0))
        return {"mean length": float(expanded.norm(dim=1).mean())}

    return {"ranking": ranking, "reranking": reranking, "aqe": expansion}[name]
