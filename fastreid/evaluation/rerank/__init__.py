"""Re-ranking by k-reciprocal neighbours (Zhong et al., CVPR 2017).

``reciprocal_neighbours`` finds and weights the neighbours of each image; ``rerank`` compares them
by Jaccard distances and combines these with the original distances.
"""

from .rerank import JaccardRows, RerankedRows, jaccard_distance, re_ranking

__all__ = ["JaccardRows", "RerankedRows", "jaccard_distance", "re_ranking"]
