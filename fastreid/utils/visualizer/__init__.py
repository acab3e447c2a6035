"""Plots of training and evaluation, and sheets of ranked images.

``curves`` draws training and CMC curves, ``features`` ROC curves and feature maps (both need
Matplotlib, which is optional), ``ranking`` queries with their ranked images (Pillow only).
"""

from .curves import plot_cmc, plot_training_curves
from .features import plot_feature_map, plot_roc
from .ranking import RankedImage, RankedQuery, RankingReport, draw_queries, draw_rank_list
from .visualizer import Visualizer

__all__ = [
    "RankedImage",
    "RankedQuery",
    "RankingReport",
    "Visualizer",
    "draw_queries",
    "draw_rank_list",
    "plot_cmc",
    "plot_feature_map",
    "plot_roc",
    "plot_training_curves",
]
