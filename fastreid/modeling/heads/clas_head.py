"""fast-reid's head for classification: evaluation gives the logits of the classes."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor

from fastreid.config import configurable

from .build import REID_HEADS_REGISTRY
from .embedding_head import EmbeddingHead


@REID_HEADS_REGISTRY.register()
class ClasHead(EmbeddingHead):
    """An `EmbeddingHead` whose evaluation classifies. Metric losses get the feature after the neck.

    Args:
        num_classes: number of classes, at least 1.
        **options: the other arguments of `EmbeddingHead`; `neck_feat` has no effect.

    Raises:
        ValueError: there are no classes.
    """

    # Evaluation needs the classifier: weights without it are refused then.
    gives_logits = True

    @configurable
    def __init__(self, *, num_classes: int, **options: Any) -> None:
        if num_classes < 1:
            raise ValueError(
                f"MODEL.HEADS.NUM_CLASSES is {num_classes}, but ClasHead evaluates by its "
                "classifier; set it to the number of classes of the weights (idx2class.json of "
                "the run lists them)."
            )
        super().__init__(num_classes=num_classes, **options)

    def construct(self, features: Tensor, targets: Tensor | None = None) -> Tensor | dict:
        """Classify feature maps.

        Args:
            features: (N, C, H, W).
            targets: (N,) int32 class of each row, needed in training only.

        Returns:
            In evaluation logits (N, classes), scaled, without a margin. In training the dict of
            `training_outputs`.
        """
        outputs = super().construct(features, targets)
        if self.training:
            return outputs
        return self.class_logits(outputs) * self.cls_layer.s

    def training_outputs(self, pooled: Tensor, neck: Tensor, targets: Tensor) -> dict:  # noqa: ARG002
        """Classify the rows of a batch.

        Args:
            pooled: (N, C), the feature before the neck, which is not used.
            neck: (N, D), the feature after the neck.
            targets: (N,) int32 class of each row.

        Returns:
            As in `EmbeddingHead`, with the feature after the neck as `features`.
        """
        return super().training_outputs(neck, neck, targets)
