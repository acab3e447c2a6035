"""Gradient clipping."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode

CLIP_TYPES = ("norm", "value")

_clip_value = ops.MultitypeFuncGraph("clip_value")
_clip_norm = ops.MultitypeFuncGraph("clip_norm")


@_clip_value.register("Number", "Tensor")
def _clip_one_by_value(limit: float, gradient: Tensor) -> Tensor:
    return ops.clamp(gradient, -limit, limit)


@_clip_norm.register("Number", "Number", "Tensor")
def _clip_one_by_norm(limit: float, order: float, gradient: Tensor) -> Tensor:
    norm = (ops.abs(gradient) ** order).sum() ** (1 / order)
    return gradient * ops.clamp(limit / (norm + 1e-6), max=1.0)


class GradientClipper(nn.Cell):
    """Clip each gradient by its norm or by value.

    Args:
        clip_type: "norm", "value", or "" for no clipping.
        clip_value: largest norm or absolute value.
        norm_type: order of the norm.
    """

    def __init__(
        self, clip_type: str = "", clip_value: float = 0.0, norm_type: float = 2.0
    ) -> None:
        super().__init__()
        self.clip_type = clip_type
        self.clip_value = float(clip_value)
        self.norm_type = float(norm_type)
        self.for_each = ops.HyperMap()

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Clip gradients of arbitrary shapes."""
        if self.clip_type == "":
            return gradients
        if self.clip_type == "value":
            return self.for_each(ops.partial(_clip_value, self.clip_value), gradients)
        return self.for_each(ops.partial(_clip_norm, self.clip_value, self.norm_type), gradients)


def build_gradient_clipper(cfg: CfgNode) -> GradientClipper:
    """Build the gradient clipper of `SOLVER.CLIP_GRADIENTS`.

    Raises:
        ValueError: CLIP_TYPE is unknown.
    """
    options = cfg.SOLVER.CLIP_GRADIENTS
    if not options.ENABLED:
        return GradientClipper()
    if options.CLIP_TYPE not in CLIP_TYPES:
        raise ValueError(
            f"SOLVER.CLIP_GRADIENTS.CLIP_TYPE {options.CLIP_TYPE!r} must be one of {CLIP_TYPES}."
        )
    return GradientClipper(options.CLIP_TYPE, options.CLIP_VALUE, options.NORM_TYPE)
