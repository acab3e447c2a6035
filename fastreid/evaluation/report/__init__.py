"""Plots and pages that show the results of an evaluation.

``ranking_report`` selects the data for the plots of one evaluation (in training and --eval-only).
``html_report`` compares feature files: it draws all plots and writes index.html, whose text comes
from ``html_page``. ``ranked_images`` finds the nearest images of queries.
"""

from .ranking_report import make_report

__all__ = ["make_report"]
