"""Errors of graph mode in an older guide's log of its port, and what 2.8 makes of them.

The page docs/migration/graph_mode.md shows the two cells of each, and the tests run them.
"""

from __future__ import annotations

from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

ONES = np.ones((2, 3), np.float32)
TWOS = 2 * ONES


class GraphError(NamedTuple):
    """One entry of the log.

    Attributes:
        message: of the error, as the log has it.
        broken: cell that had it; None where the log shows no code that can be run.
        error: pattern of the message on 2.8; "": it no longer occurs.
        result: of `broken` for an input of ones, where it no longer occurs.
        cause: in Markdown.
        cured: cell that gives twice the input.
        cure: in Markdown.
    """

    message: str
    broken: type
    error: str
    cause: str
    cured: type
    cure: str
    result: np.ndarray | None = None


class AppendsToMember(nn.Cell):
    def __init__(self):
        super().__init__()
        self.scales = []

    def construct(self, x):
        self.scales.append(2)
        return x * 2

    def count(self):
        return len(self.scales)


class CountsInParameter(nn.Cell):
    def __init__(self):
        super().__init__()
        self.calls = Parameter(Tensor(0, ms.int32), name="calls")

    def construct(self, x):
        self.calls += 1
        return x * 2

    def count(self):
        return int(self.calls)


class SetsAttributeOfPart(nn.Cell):
    def __init__(self):
        super().__init__()
        self.linear = nn.Dense(3, 3)
        self.weight = Parameter(2 * ops.eye(3, 3, ms.float32), name="weight")

    def construct(self, x):
        self.linear.weight = self.weight
        return self.linear(x)


class SetsAttributeOfNewLayer(nn.Cell):
    def __init__(self):
        super().__init__()
        self.weight = Parameter(2 * ops.eye(3, 3, ms.float32), name="weight")

    def construct(self, x):
        linear = nn.Dense(3, 3)
        linear.weight = self.weight
        return linear(x)


class PassesWeights(nn.Cell):
    def __init__(self):
        super().__init__()
        self.weight = Parameter(2 * ops.eye(3, 3, ms.float32), name="weight")

    def construct(self, x):
        return ops.dense(x, self.weight)


class DeletesFirst(nn.Cell):
    def construct(self, x):
        gradients = [x, x * 2]
        del gradients[0]
        return gradients[0]


class SlicesOffFirst(nn.Cell):
    def construct(self, x):
        gradients = [x, x * 2]
        gradients = gradients[1:]
        return gradients[0]


class SetsInOneBranch(nn.Cell):
    def construct(self, x):
        if x.sum() > 0:
            c = x * 2
        return c


class SetsBefore(nn.Cell):
    def construct(self, x):
        c = x
        if x.sum() > 0:
            c = x * 2
        return c


class BuildsNormInCall(nn.Cell):
    def __init__(self):
        super().__init__()
        self.gamma = Parameter(Tensor([2.0], ms.float32), name="gamma")

    def construct(self, x):
        norm = nn.BatchNorm1d(3, 1e-5, 0.9, True, self.gamma)
        return norm(x)


class PassesScale(nn.Cell):
    def __init__(self):
        super().__init__()
        self.gamma = Parameter(2 * ops.ones(3, ms.float32), name="gamma")

    def construct(self, x):
        zeros, ones = ops.zeros_like(self.gamma), ops.ones_like(self.gamma)
        return ops.batch_norm(x, zeros, ones, self.gamma, zeros, False, 0.1, 1e-5)


class TakesNone(nn.Cell):
    def construct(self, x, options=None):
        return x * 2 if options is None else x


class TriesAnOperation(nn.Cell):
    def construct(self, x):
        try:
            return x * 2
        except ValueError:
            return x


class TestsBefore(nn.Cell):
    def construct(self, x):
        return x * 2 if x.ndim == 2 else x


class LoopsOverCells(nn.Cell):
    def __init__(self):
        super().__init__()
        self.layers = nn.CellList([nn.ReLU()])

    def construct(self, x):
        for name, _ in self.layers.cells_and_names():
            x = x * 2 if name else x
        return x


class LoopsOverList(nn.Cell):
    def __init__(self):
        super().__init__()
        self.layers = nn.CellList([nn.ReLU()])

    def construct(self, x):
        for layer in self.layers:
            x = layer(x) * 2
        return x


ERRORS = (
    GraphError(
        "'self.NL_1_idx' should be initialized as a 'Parameter' type in the '__init__' function",
        AppendsToMember,
        "",
        "A member that is not a parameter is changed in `construct`. The error no longer occurs: "
        "2.8 compiles it, and **loses the change without a word**. The list stays empty.",
        CountsInParameter,
        "Compute what does not depend on the input in `__init__`, and keep what does in a "
        "`Parameter`.",
        TWOS,
    ),
    GraphError(
        "'Attribute' object has no attribute 'id'",
        SetsAttributeOfPart,
        "has no attribute 'weight'",
        "The log gives no cause. Probably this: an attribute of a part is assigned. 2.8 has "
        "another message.",
        PassesWeights,
        "Call the function that takes the weights.",
    ),
    GraphError(
        "Only support assign to attribute of self, but got attribute of linear.",
        SetsAttributeOfNewLayer,
        "its name 'weight' already exists",
        "A layer is built in `construct`, and its weight assigned. 2.8 compiles the layer's own "
        "weight beside the other one, which has the same name. The log's cure, a layer in "
        "`__init__`, has weights of its own beside the inherited ones, so it computes something "
        "else.",
        PassesWeights,
        "Call the function that takes the weights.",
    ),
    GraphError(
        "Unsupported statement 'Delete'.",
        DeletesFirst,
        "Unsupported statement 'Delete'",
        "`del` is not part of the language that graph mode compiles. The log's cure, `pop(0)`, "
        "works, but shortens the list of the caller too.",
        SlicesOffFirst,
        "Make a new list.",
    ),
    GraphError(
        "The name 'c' is not defined, or not supported in graph mode.",
        SetsInOneBranch,
        "The local variable 'c' is not defined in false branch",
        "A variable is set in one branch only, even if that branch is always taken. The log's "
        "cure, `c = None`, moves the error to where `c` is used.",
        SetsBefore,
        "Give it a value of the right type before.",
    ),
    GraphError(
        "The 4th initializing input to create instance for class 'InstanceNorm2d' should be a "
        "constant",
        BuildsNormInCall,
        "all arguments are required to be constants",
        "A layer is built in `construct` with a parameter as an initial value.",
        PassesScale,
        "Call the function that takes the weights.",
    ),
    GraphError(
        "BUG: no manager for this func graph",
        TakesNone,
        "",
        "The log blames arguments of `construct` that are `None`. The error no longer occurs: they "
        "may be left out, or be `None`.",
        TakesNone,
        "None is needed.",
        TWOS,
    ),
    GraphError(
        "Unsupported statement 'Try'.",
        TriesAnOperation,
        "Unsupported statement 'Try'",
        "Not in the log. `try` is not part of the language either.",
        TestsBefore,
        "Test the condition.",
    ),
    GraphError(
        "'Tuple' object has no attribute 'cells_and_names'",
        LoopsOverCells,
        "'Tuple' object has no attribute 'cells_and_names'",
        "Not in the log. In a compiled function a `CellList` is a tuple.",
        LoopsOverList,
        "Loop over a `CellList`, which is unrolled.",
    ),
)
