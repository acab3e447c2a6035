from .evaluator import DatasetEvaluator, inference_context, inference_on_dataset
from .query_expansion import aqe
from .rank import RankResult, evaluate_rank
from .reid_evaluation import ReidEvaluator
from .rerank import JaccardRows, RerankedRows, jaccard_distance, re_ranking
from .roc import evaluate_roc, rate_at, roc_curve
from .testing import flatten_results_dict, print_csv_format

__all__ = [
    "DatasetEvaluator",
    "JaccardRows",
    "RankResult",
    "ReidEvaluator",
    "RerankedRows",
    "aqe",
    "evaluate_rank",
    "evaluate_roc",
    "flatten_results_dict",
    "inference_context",
    "inference_on_dataset",
    "jaccard_distance",
    "print_csv_format",
    "rate_at",
    "re_ranking",
    "roc_curve",
]
