"""Re-ranking by k-reciprocal neighbours (Zhong et al., CVPR 2017)."""

from .rerank import JaccardRows, RerankedRows, jaccard_distance, re_ranking

__all__ = ["JaccardRows", "RerankedRows", "jaccard_distance", "re_ranking"]
