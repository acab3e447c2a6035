"""Checks of golden files of kind "misc": everything around the network.

These have no float32 twin: samplers, CMC and which tensors are loaded must be equal, the rest
within 2e-5 of the largest value.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

import numpy as np

from fastreid.config import get_cfg
from fastreid.data.samplers import BalancedIdentitySampler, NaiveIdentitySampler, TrainingSampler
from fastreid.evaluation import (
    aqe,
    evaluate_rank,
    evaluate_roc,
    jaccard_distance,
    rate_at,
    roc_curve,
)
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.meta_dynamic_router_weights import inflate
from fastreid.solver import build_lr_scheduler
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.compute_dist import build_dist, normalize_features
from test.alignment.golden import CONFIGS, Check, GoldenFile, compare, exactly, summaries
from test.golden.golden_inputs import golden_weight, item_list, ranking_case

METRICS = ("cosine", "euclidean")
FALSE_RATES = (1e-4, 1e-3, 1e-2)
# Name -> sampler, batch, images per identity, seed of the file with seed 0.
IDENTITY_SAMPLERS = {
    "naive": (NaiveIdentitySampler, 16, 4, 123),
    "naive2": (NaiveIdentitySampler, 8, 2, 5),
    "balanced": (BalancedIdentitySampler, 16, 4, 123),
}
TRAINING_ITEMS, TRAINING_SEED = 57, 11
SCHEDULES = {
    "lr.cosine": {"WARMUP_ITERS": 2},
    "lr.multistep": {"WARMUP_ITERS": 1, "STEPS": [4, 8], "SCHED": "MultiStepLR"},
}
ITERATIONS_PER_EPOCH, EPOCHS, BASE_LR = 5, 12, 0.04


class MiscChecks:
    """All checks of one file.

    Args:
        golden: a file of kind "misc".
    """

    def __init__(self, golden: GoldenFile) -> None:
        self.golden = golden
        self.sections = {
            "rank": self.ranking,
            "roc": self.rates,
            "jaccard": self.jaccard,
            "aqe": self.query_expansion,
            "sampler": self.samplers,
            "lr": self.learning_rates,
            "pretrain": self.inflation,
        }

    def _close(self, name: str, value: np.ndarray) -> Check:
        return compare(name, value, self.golden[name].astype(np.float64), math.nan)

    def _equal(self, name: str, value: np.ndarray) -> Check:
        truth = self.golden[name]
        if value.shape != truth.shape:
            return exactly(name, [f"shape {value.shape}, the original's {truth.shape}"])
        return exactly(name, np.flatnonzero(value.ravel() != truth.ravel()).tolist())

    def _case(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Query and gallery features, then (q_pids, g_pids, q_camids, g_camids)."""
        query, gallery, *labels = ranking_case(40, 300, 25, 4, seed=self.golden.seed)
        return query, gallery, labels

    def ranking(self) -> Iterator[Check]:
        """Distances, CMC to rank 50, AP and INP of every query with a match."""
        query, gallery, labels = self._case()
        for metric in METRICS:
            distances = build_dist(query, gallery, metric)
            result = evaluate_rank(distances, *labels)
            yield self._close(f"rank.{metric}.dist", distances)
            yield self._equal(f"rank.{metric}.cmc", result.cmc.astype(np.float32))
            yield self._close(f"rank.{metric}.ap", result.all_ap)
            yield self._close(f"rank.{metric}.inp", result.all_inp)

    def rates(self) -> Iterator[Check]:
        """True positive rates at the false positive rates that are reported."""
        query, gallery, labels = self._case()
        for metric in METRICS:
            curve = roc_curve(*evaluate_roc(build_dist(query, gallery, metric), *labels))
            rates = [rate_at(*curve, rate) for rate in FALSE_RATES]
            yield self._close(f"roc.{metric}", np.array(rates))

    def jaccard(self) -> Iterator[Check]:
        """Distances of re-ranking, for every (k1, k2) of the file."""
        query, gallery, _ = self._case()
        query, gallery = normalize_features(query), normalize_features(gallery)
        for name in self._names(r"jaccard\.(\d+)\.(\d+)"):
            k1, k2 = map(int, name.split(".")[1:])
            yield self._close(name, jaccard_distance(query, gallery, k1=k1, k2=k2))

    def _names(self, pattern: str) -> list[str]:
        return [name for name in self.golden.names if re.fullmatch(pattern, name)]

    def query_expansion(self) -> Iterator[Check]:
        """Features after query expansion."""
        query, gallery, _ = self._case()
        expanded = aqe(query, gallery, qe_times=1, qe_k=5, alpha=3.0)
        for name, features in zip(("aqe.query", "aqe.gallery"), expanded):
            yield self._close(name, features)

    def samplers(self) -> Iterator[Check]:
        """Indices, in their order."""
        seed = self.golden.seed
        items = item_list(30, 3, seed)
        streams = {
            name: make(items, batch, num_instances=instances, seed=first + seed)
            for name, (make, batch, instances, first) in IDENTITY_SAMPLERS.items()
        }
        streams["training"] = TrainingSampler(
            TRAINING_ITEMS, shuffle=True, seed=TRAINING_SEED + seed
        )
        for name, stream in streams.items():
            count = self.golden[f"sampler.{name}"].size
            indices = np.array(list(itertools.islice(stream, count)))
            yield self._equal(f"sampler.{name}", indices)

    def learning_rates(self) -> Iterator[Check]:
        """The rate in force in every iteration of ACL's recipe."""
        for name, changes in SCHEDULES.items():
            cfg = get_cfg()
            cfg.merge_from_file(CONFIGS / "bagtricks_DR50_mix.yml")
            solver = {"MAX_EPOCH": EPOCHS, "BASE_LR": BASE_LR, **changes}
            for key, value in solver.items():
                setattr(cfg.SOLVER, key, value)
            schedule = build_lr_scheduler(cfg, ITERATIONS_PER_EPOCH)
            iterations = range(EPOCHS * ITERATIONS_PER_EPOCH)
            rates = [schedule.rate(iteration, BASE_LR) for iteration in iterations]
            yield self._close(name, np.array(rates))

    def inflation(self) -> Iterator[Check]:
        """ImageNet weights of a ResNet50-IBN-a, spread over routers and adaptors."""
        golden = self.golden
        source_shapes = _shapes("build_resnet_backbone")
        start_shapes = _shapes("build_meta_dynamic_router_resnet_backbone")
        source_names = golden.strings("pretrain.source.names")
        names = golden.strings("pretrain.names")
        wrong = (set(source_names) ^ source_shapes.keys()) | (set(names) ^ start_shapes.keys())
        yield exactly("pretrain.names", sorted(wrong))
        if wrong:
            return
        source = {n: golden_weight(f"ibn.{n}", source_shapes[n], golden.seed) for n in source_names}
        start = {n: golden_weight(f"init.{n}", start_shapes[n], golden.seed) for n in names}
        result = {**start, **inflate(source, start)}
        loaded = np.array([not np.array_equal(result[name], start[name]) for name in names])
        yield self._equal("pretrain.loaded", loaded)
        yield self._close("pretrain.summary", summaries(result, names, golden.seed))


def _shapes(backbone: str) -> dict[str, tuple[int, ...]]:
    cfg = get_cfg()
    cfg.merge_from_file(CONFIGS / "bagtricks_DR50_mix.yml")
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.BACKBONE.NAME = backbone
    return {name: value.shape for name, value in export_weights(build_backbone(cfg)).items()}
