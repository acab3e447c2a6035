"""A row of docs/migration/api.md: a line of PyTorch and the line of MindSpore that does the same.

The functions of a row are written as a class without `self`::

    @call(IMAGES, differs="The axis is called `axis`.", guide=14, verdict=RIGHT)
    class Concatenation:
        def pytorch(x):
            return torch.cat((x, x), dim=1)

        def mindspore(x):
            return ops.cat((x, x), axis=1)

The page shows their statements, and the tests run them.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Verdict(enum.Enum):
    """What running the line of the older guide on MindSpore 2.8 shows."""

    RIGHT = "right"
    WRONG = "wrong"
    CHANGED = "changed since"


class Kind(enum.Enum):
    """How a row is run.

    CALL: functions of tensors; outputs and gradients of the inputs are compared, and graph mode
        compiles the function.
    LAYER: functions that build a layer; they get the same weights, and the gradients of the weights
        and the running statistics are compared too.
    PROGRAM: functions that run as they are; only their results are compared.
    """

    CALL = "call"
    LAYER = "layer"
    PROGRAM = "program"


BOTH = ("graph", "pynative")


class Pair(NamedTuple):
    """One row.

    Attributes:
        name: of the class that has the functions.
        kind: how it is run.
        pytorch, mindspore: the two functions.
        inputs: arrays that both get.
        differs: what the page says about the difference, in Markdown.
        guide: number of the row in the older guide; None for a row that it lacks.
        verdict: on the guide's line and remark; None without `guide`.
        trap: a line that looks right and is not, such as the guide's; None: there is none.
        trap_in: the modes in which the trap fails or gives another result.
        trap_error: pattern of its message where it fails; "": it gives another result.
        gradient: whether gradients are compared.
        training: whether layers are in training mode.
        tolerance: allowed error, relative to the largest value.
        digits: whether the error is relative to each value instead.
        same_types: whether the types of the elements are compared.
    """

    name: str
    kind: Kind
    pytorch: Callable
    mindspore: Callable
    inputs: tuple[np.ndarray, ...]
    differs: str
    guide: int | None = None
    verdict: Verdict | None = None
    trap: Callable | None = None
    trap_in: tuple[str, ...] = BOTH
    trap_error: str = ""
    gradient: bool = True
    training: bool = False
    tolerance: float = 1e-5
    digits: bool = False
    same_types: bool = True


class Chapter:
    """Rows about one subject, in the order in which they are written."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.pairs: list[Pair] = []

    def call(self, *inputs, **fields):
        """Decorate the class of a row of the kind CALL."""
        return self._adder(Kind.CALL, inputs, fields)

    def layer(self, *inputs, **fields):
        """Decorate the class of a row of the kind LAYER."""
        return self._adder(Kind.LAYER, inputs, fields)

    def program(self, *inputs, **fields):
        """Decorate the class of a row of the kind PROGRAM."""
        return self._adder(Kind.PROGRAM, inputs, fields)

    def _adder(self, kind, inputs, fields):
        def add(functions):
            trap = vars(functions).get("trap")
            lines = (functions.pytorch, functions.mindspore)
            self.pairs.append(Pair(functions.__name__, kind, *lines, inputs, trap=trap, **fields))
            return functions

        return add


def statements(function: Callable) -> list[str]:
    """The statements of a function, each in one line, without `return`; of a class its method."""
    if inspect.isclass(function):
        method = getattr(function, "construct", None) or function.forward
        return [_in_one_line(textwrap.dedent(inspect.getsource(method)))]
    source = textwrap.dedent(inspect.getsource(function))
    body = ast.parse(source).body[0].body
    return [_in_one_line(ast.get_source_segment(source, node)) for node in body]


def _in_one_line(code: str) -> str:
    code = re.sub(r"\s*# noqa.*", "", code).strip()
    code = re.sub(r"\s+", " ", code).removeprefix("return ")
    return re.sub(r"([(\[{]) ", r"\1", re.sub(r",? ([)\]}])", r"\1", code))
