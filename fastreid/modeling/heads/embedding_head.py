"""fast-reid's head: pooling, a neck with a norm, one classifier."""

from __future__ import annotations

from functools import partial
from typing import Any

from mindspore import Parameter, Tensor, ops
from mindspore.common.initializer import Normal, initializer

from fastreid.config import CfgNode, configurable
from fastreid.layers import Conv2d, get_cls_layer, get_norm

from .build import REID_HEADS_REGISTRY
from .neck import NeckHead, cosine_logits


@REID_HEADS_REGISTRY.register()
class EmbeddingHead(NeckHead):
    """Pool the map, apply the neck, classify (Luo et al., "Bag of tricks", CVPRW 2019).

    Args:
        feat_dim: C of the feature map.
        embedding_dim: D of the embedding, the output of a 1x1 convolution; 0: no convolution.
        num_classes: number of identities; 0 builds a head for evaluation only.
        neck_feat: which feature the metric losses get: "before" or "after" the neck.
        pool_type: name of the pooling.
        cls_type: name of the softmax variant.
        scale: multiplied into the logits.
        margin: margin of the softmax variant.
        with_bnneck: whether the neck has a norm, whose shift is not trained.
        norm_type: name of that norm.
    """

    classifier_names = ("weight",)

    @configurable
    def __init__(
        self,
        *,
        feat_dim: int,
        embedding_dim: int,
        num_classes: int,
        neck_feat: str,
        pool_type: str,
        cls_type: str,
        scale: float,
        margin: float,
        with_bnneck: bool,
        norm_type: str,
    ) -> None:
        super().__init__(
            feat_dim=feat_dim,
            embedding_dim=embedding_dim,
            neck_feat=neck_feat,
            pool_type=pool_type,
            conv=Conv2d,
            norm=partial(get_norm, norm_type) if with_bnneck else None,
        )
        self.num_classes = num_classes
        if num_classes > 0:
            shape = (num_classes, self.embedding_dim)
            self.weight = Parameter(initializer(Normal(0.01), shape))
        self.cls_layer = get_cls_layer(cls_type)(num_classes, scale, margin)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Read the constructor's arguments from the config."""
        return {**super().from_config(cfg), "num_classes": cfg.MODEL.HEADS.NUM_CLASSES}

    def training_outputs(self, pooled: Tensor, neck: Tensor, targets: Tensor) -> dict:
        """Classify the rows of a batch.

        Args:
            pooled: (N, C), the feature before the neck.
            neck: (N, D), the feature after the neck.
            targets: (N,) int32 class of each row.

        Returns:
            `cls_outputs` (N, classes), for the cross entropy; `pred_class_logits`
            (N, classes), scaled, without a margin; `features` (N, D) for the metric losses.

        Raises:
            ValueError: if the head was built without classes.
        """
        if self.num_classes <= 0:
            raise ValueError(
                "MODEL.HEADS.NUM_CLASSES is 0, so this head cannot train; set it to the number of "
                "training identities."
            )
        logits = self.class_logits(neck)
        return {
            "cls_outputs": self.cls_layer(logits, targets),
            "pred_class_logits": logits * self.cls_layer.s,
            "features": pooled if self.neck_feat == "before" else neck,
        }

    def class_logits(self, neck: Tensor) -> Tensor:
        """Logits without margin and scale: (N, D) -> (N, classes)."""
        if self.cls_layer.takes_cosines:
            return cosine_logits(neck, self.weight)
        return ops.dense(neck, self.weight)
