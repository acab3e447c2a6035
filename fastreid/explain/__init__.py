"""Explanations: which places of an image are active, why two images match, how ACL routes.

    from fastreid.engine import DefaultPredictor
    from fastreid.explain import explain_pair

    why = explain_pair(DefaultPredictor(cfg), "query.jpg", "result.jpg")

``pairs`` computes maps over images and pairs, ``routing`` the weights of ACL's adaptors. ``parts``
divides a model at its last map, ``places`` changes the resolution of maps. ``drawing``, ``sheets``
and ``routing_plot`` draw, ``report`` writes files.
"""

from .drawing import draw_map, to_picture
from .pairs import Explainer, PairExplanation, explain_image, explain_pair
from .parts import ExplainError
from .report import activation_numbers, check_report, pair_numbers, routing_numbers, write_report
from .routing import DomainRouting, compare_domains, explain_routing, require_routers
from .routing_plot import require_matplotlib, routing_figure
from .sheets import ShownImage, activation_sheet, pair_sheet

__all__ = [
    "DomainRouting",
    "ExplainError",
    "Explainer",
    "PairExplanation",
    "ShownImage",
    "activation_numbers",
    "activation_sheet",
    "check_report",
    "compare_domains",
    "draw_map",
    "explain_image",
    "explain_pair",
    "explain_routing",
    "pair_numbers",
    "pair_sheet",
    "require_matplotlib",
    "require_routers",
    "routing_figure",
    "routing_numbers",
    "to_picture",
    "write_report",
]
