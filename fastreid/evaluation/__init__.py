"""Evaluation of a model by retrieval on a test set.

``evaluator`` runs the model, ``reid_evaluation`` computes the scores of a test set. The scores are
in ``rank`` (CMC, mAP, mINP; with ``single_shot`` for CUHK03) and ``verification`` (true positive
rates; with ``roc`` and ``roc_histogram``); ``retrieval`` decides which pairs are matches.
``rerank`` and ``query_expansion`` improve distances and features, ``features`` stores features,
``report`` draws results, ``testing`` prints them.
"""

from fastreid.utils.labels import UNKNOWN

from .clas_evaluator import ClasEvaluator
from .evaluator import (
    DatasetEvaluator,
    inference_context,
    inference_on_dataset,
    run_on_dataset,
)
from .features.feature_file import FeatureCollector, FeatureSet, load_features, save_features
from .features.feature_table import ImageFeatures
from .features.image_paths import look_for_images, under_root
from .features.part_file import PartColumns, PartError, PartInfo
from .features.part_folder import iterate_parts, read_parts
from .query_expansion import aqe
from .rank import RankResult, evaluate_rank
from .reid_evaluation import ReidEvaluator
from .report.html_report import write_pictures
from .report.ranked_images import ranked_images
from .rerank import JaccardRows, RerankedRows, jaccard_distance, re_ranking
from .roc import evaluate_roc, rate_at, roc_curve
from .testing import flatten_results_dict, print_csv_format

__all__ = [
    "UNKNOWN",
    "ClasEvaluator",
    "DatasetEvaluator",
    "FeatureCollector",
    "FeatureSet",
    "ImageFeatures",
    "JaccardRows",
    "PartColumns",
    "PartError",
    "PartInfo",
    "RankResult",
    "ReidEvaluator",
    "RerankedRows",
    "aqe",
    "evaluate_rank",
    "evaluate_roc",
    "flatten_results_dict",
    "inference_context",
    "inference_on_dataset",
    "iterate_parts",
    "jaccard_distance",
    "load_features",
    "look_for_images",
    "print_csv_format",
    "ranked_images",
    "rate_at",
    "re_ranking",
    "read_parts",
    "roc_curve",
    "run_on_dataset",
    "save_features",
    "under_root",
    "write_pictures",
]
