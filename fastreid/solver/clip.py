"""Gradient clipping."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode

CLIP_TYPES = ("norm", "value")


class GradientClipper(nn.Cell):
    """Clip each gradient by its norm or by value, or let it pass.

    Args:
        clip_type: "norm", "value", or "" for none.
        clip_value: the largest norm or absolute value.
        norm_type: order of the norm.
    """

    def __init__(self, clip_type: str = "", clip_value: float = 0.0, norm_type: float = 2.0):
        super().__init__()
        self.clip_type, self.clip_value, self.norm_type = clip_type, clip_value, norm_type

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Clip gradients of any shapes."""
        if self.clip_type == "":
            return gradients
        clipped = ()
        for gradient in gradients:
            if self.clip_type == "value":
                small = ops.clamp(gradient, -self.clip_value, self.clip_value)
            else:
                norm = (ops.abs(gradient) ** self.norm_type).sum() ** (1 / self.norm_type)
                small = gradient * ops.clamp(self.clip_value / (norm + 1e-6), max=1.0)
            clipped = clipped + (small,)
        return clipped


def build_gradient_clipper(cfg: CfgNode) -> GradientClipper:
    """Build the clipping of `SOLVER.CLIP_GRADIENTS`.

    Raises:
        ValueError: for an unknown CLIP_TYPE.
    """
    options = cfg.SOLVER.CLIP_GRADIENTS
    if not options.ENABLED:
        return GradientClipper()
    if options.CLIP_TYPE not in CLIP_TYPES:
        raise ValueError(
            f"SOLVER.CLIP_GRADIENTS.CLIP_TYPE {options.CLIP_TYPE!r} must be one of {CLIP_TYPES}."
        )
    return GradientClipper(options.CLIP_TYPE, options.CLIP_VALUE, options.NORM_TYPE)
