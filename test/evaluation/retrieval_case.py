"""Retrieval problems for tests, with the original's scores of one of them."""

from pathlib import Path

import numpy as np
from yacs.config import CfgNode

from test.golden.golden_inputs import ranking_case

GOLDEN = np.load(Path(__file__).parent.parent / "golden" / "misc_seed0.npz")
METRICS = ("cosine", "euclidean")


def golden_case():
    """Return query and gallery features, and (q_pids, g_pids, q_camids, g_camids)."""
    query, gallery, *labels = ranking_case(40, 300, 25, 4, seed=int(GOLDEN["meta/seed"]))
    return query, gallery, labels


def small_case(num_query=12, num_gallery=60, seed=3):
    query, gallery, *labels = ranking_case(num_query, num_gallery, 8, 3, dim=16, seed=seed)
    return query, gallery, labels


def settings(**changes):
    """Return a config with changes of the TEST section, such as METRIC="euclidean"."""
    test = CfgNode(
        {
            "METRIC": changes.pop("METRIC", "cosine"),
            "SINGLE_GALLERY_SHOT": {"ENABLED": False, "SEED": 0},
            "ROC": {"ENABLED": False},
            "AQE": {"ENABLED": False, "ALPHA": 3.0, "QE_TIME": 1, "QE_K": 5},
            "RERANK": {"ENABLED": False, "K1": 20, "K2": 6, "LAMBDA": 0.3},
        }
    )
    for section, enabled in changes.items():
        test[section].ENABLED = enabled
    return CfgNode({"TEST": test})
