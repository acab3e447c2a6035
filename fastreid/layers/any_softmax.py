"""Scales and margins for a classifier's logits before the cross entropy.

Every cell takes logits (N, classes) and targets (N,), int32, and returns new logits. A row whose
target is -1 gets no margin.
"""

from __future__ import annotations

import math

from mindspore import Tensor, nn, ops


class LinearSoftmax(nn.Cell):
    """Logits times the scale; "Linear" in a config.

    Args:
        num_classes: width of the logits.
        scale: multiplied into the logits, > 0.
        margin: penalty on the true class in the subclasses; unused here.
    """

    takes_cosines = False

    def __init__(self, num_classes: int, scale: float, margin: float) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.s = scale
        self.m = margin

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002 - one interface
        """Logits (N, classes) of any range and targets (N,) -> (N, classes)."""
        return logits * self.s


class CosSoftmax(LinearSoftmax):
    """Large margin cosine loss (CosFace; Wang et al., CVPR 2018): cos - m for the true class.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.layers import CosSoftmax
        >>> softmax = CosSoftmax(num_classes=3, scale=64.0, margin=0.25)
        >>> cosines = ms.Tensor([[0.75, 0.5, 0.0]])
        >>> softmax(cosines, ms.Tensor([0], ms.int32)).asnumpy().tolist()
        [[32.0, 32.0, 0.0]]
    """

    takes_cosines = True

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cosines (N, classes) and targets (N,) -> (N, classes)."""
        return (logits - self.m * _one_hot(targets, logits)) * self.s


class ArcSoftmax(LinearSoftmax):
    """Additive angular margin (ArcFace; Deng et al., CVPR 2019): cos(angle + m), true class.

    As in fast-reid, angles above pi - m are not treated separately.
    """

    takes_cosines = True

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cosines (N, classes) and targets (N,) -> (N, classes)."""
        # cos(acos(x) + m) expanded: finite where rounding gives a cosine of 1 or more.
        sines = ops.sqrt(ops.clamp((1 - logits) * (1 + logits), min=1e-12))
        with_margin = logits * math.cos(self.m) - sines * math.sin(self.m)
        return ops.where(_one_hot(targets, logits) > 0, with_margin, logits) * self.s


class CircleSoftmax(LinearSoftmax):
    """Circle loss for class labels (Sun et al., CVPR 2020): each cosine weighted by its error.

    The weights are constants of the gradient.
    """

    takes_cosines = True

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cosines (N, classes) and targets (N,) -> (N, classes)."""
        fixed = ops.stop_gradient(logits)
        positive = ops.relu(1 + self.m - fixed) * (logits - (1 - self.m))
        negative = ops.relu(fixed + self.m) * (logits - self.m)
        return ops.where(_one_hot(targets, logits) > 0, positive, negative) * self.s


def _one_hot(targets: Tensor, logits: Tensor) -> Tensor:
    return ops.one_hot(targets, logits.shape[1], 1.0, 0.0)


CLS_LAYERS = {
    "Linear": LinearSoftmax,
    "CosSoftmax": CosSoftmax,
    "ArcSoftmax": ArcSoftmax,
    "CircleSoftmax": CircleSoftmax,
}


def get_cls_layer(name: str) -> type[LinearSoftmax]:
    """Look up the softmax variant that a config names.

    Args:
        name: "Linear", "CosSoftmax", "ArcSoftmax" or "CircleSoftmax".

    Returns:
        The class, called with (num_classes, scale, margin). `takes_cosines` is True where it needs
        cosines: features and class weights normalized before their product.

    Raises:
        ValueError: for an unknown name.

    Examples:
        >>> from fastreid.layers import get_cls_layer
        >>> get_cls_layer("ArcSoftmax").__name__, get_cls_layer("ArcSoftmax").takes_cosines
        ('ArcSoftmax', True)
    """
    if name not in CLS_LAYERS:
        raise ValueError(
            f"MODEL.HEADS.CLS_LAYER {name!r} is unknown; it must be one of {sorted(CLS_LAYERS)}."
        )
    return CLS_LAYERS[name]
