"""How each primitive of MindSpore is written in ONNX.

A translation is a function from a node, the values of its inputs and the graph to the value of its
output. To support another primitive, write its translation and add it to the table of its module.
"""

from . import arithmetic, convolution, flow, norms, reductions, shapes
from .common import Translation

OPERATORS: dict[str, Translation] = {
    **arithmetic.OPERATORS,
    **convolution.OPERATORS,
    **flow.OPERATORS,
    **norms.OPERATORS,
    **reductions.OPERATORS,
    **shapes.OPERATORS,
}

__all__ = ["OPERATORS", "Translation"]
