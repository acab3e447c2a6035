"""Which parameters `MODEL.FREEZE_LAYERS` freezes for the first iterations of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mindspore import Parameter, nn

from fastreid.config import CfgNode
from fastreid.utils.checkpoint.names import to_torch_name


class FrozenLayers:
    """Parameters whose PyTorch names match one of some patterns.

    A pattern is a regular expression that matches from the beginning of a name, as in fast-reid.
    One that is the name of a part of the model stands for this part alone: `b1` of MGN does not
    freeze the head `b1_head`.

    Args:
        model: the model.
        patterns: as in `MODEL.FREEZE_LAYERS`.

    Raises:
        ValueError: a pattern is not a regular expression, or matches no parameter.
    """

    def __init__(self, model: nn.Cell, patterns: Sequence[str]) -> None:
        cells = list(model.name_cells())
        self.parts = tuple(pattern for pattern in patterns if pattern in cells)
        self._expressions = [
            _expression(f"{re.escape(pattern)}\\." if pattern in cells else pattern)
            for pattern in patterns
        ]
        names = [to_torch_name(parameter.name) for parameter in model.get_parameters()]
        for pattern, expression in zip(patterns, self._expressions):
            if not any(map(expression.match, names)):
                raise ValueError(
                    f"MODEL.FREEZE_LAYERS names {pattern!r}, which the model does not have: no "
                    f"parameter has a name that begins so. Its parts are {cells}, and a name is "
                    f"{names[0]!r}."
                )

    def has(self, parameter: Parameter) -> bool:
        """Tell whether a parameter is frozen."""
        name = to_torch_name(parameter.name)
        return any(expression.match(name) for expression in self._expressions)


def frozen_layers(cfg: CfgNode, model: nn.Cell) -> FrozenLayers:
    """Build the frozen layers of a configuration; none where SOLVER.FREEZE_ITERS is 0.

    Args:
        cfg: MODEL.FREEZE_LAYERS and SOLVER.FREEZE_ITERS.
        model: the model of that configuration.
    """
    return FrozenLayers(model, cfg.MODEL.FREEZE_LAYERS if cfg.SOLVER.FREEZE_ITERS > 0 else ())


def _expression(pattern: str) -> re.Pattern:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"MODEL.FREEZE_LAYERS: {pattern!r} is not a regular expression: {error}."
        ) from error
