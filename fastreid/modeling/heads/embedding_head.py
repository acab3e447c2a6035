"""fast-reid's head: pooling, a normalized neck, one classifier."""

from __future__ import annotations

from typing import Any

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, initializer

from fastreid.config import CfgNode, configurable
from fastreid.layers import Conv2d, get_cls_layer, get_norm, get_pooling, l2_normalize

from .build import REID_HEADS_REGISTRY

NECK_FEATS = ("before", "after")


@REID_HEADS_REGISTRY.register()
class EmbeddingHead(nn.Cell):
    """Pool the map, pass the neck, classify (Luo et al., "Bag of tricks", CVPRW 2019).

    Args:
        feat_dim: C of the feature map.
        embedding_dim: D of the embedding, made by a 1x1 convolution; 0 keeps C.
        num_classes: identities to tell apart; 0 builds a head for evaluation only.
        neck_feat: which feature the metric losses see: "before" or "after" the neck.
        pool_type: name of the pooling.
        cls_type: name of the softmax variant.
        scale: multiplied into the logits.
        margin: of the softmax variant.
        with_bnneck: whether the neck has a norm, whose shift is not trained.
        norm_type: name of that norm.
    """

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
        super().__init__()
        if neck_feat not in NECK_FEATS:
            raise ValueError(
                f"MODEL.HEADS.NECK_FEAT {neck_feat!r} is unknown; it must be one of {NECK_FEATS}."
            )
        self.pool_layer = get_pooling(pool_type)
        self.neck_feat = neck_feat
        neck = []
        if embedding_dim > 0:
            neck.append(Conv2d(feat_dim, embedding_dim, 1))
            feat_dim = embedding_dim
        if with_bnneck:
            norm = get_norm(norm_type, feat_dim)
            norm.beta.requires_grad = False
            neck.append(norm)
        self.bottleneck = nn.SequentialCell(neck)
        self.num_classes = num_classes
        if num_classes > 0:
            self.weight = Parameter(initializer(Normal(0.01), (num_classes, feat_dim)))
        self.cls_layer = get_cls_layer(cls_type)(num_classes, scale, margin)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Read the constructor's arguments from the config."""
        heads = cfg.MODEL.HEADS
        return {
            "feat_dim": cfg.MODEL.BACKBONE.FEAT_DIM,
            "embedding_dim": heads.EMBEDDING_DIM,
            "num_classes": heads.NUM_CLASSES,
            "neck_feat": heads.NECK_FEAT,
            "pool_type": heads.POOL_LAYER,
            "cls_type": heads.CLS_LAYER,
            "scale": heads.SCALE,
            "margin": heads.MARGIN,
            "with_bnneck": heads.WITH_BNNECK,
            "norm_type": heads.NORM,
        }

    def construct(
        self, features: Tensor, targets: Tensor | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Embed, and in training classify.

        Args:
            features: (N, C, H, W).
            targets: (N,) int32 class of each row, needed in training only.

        Returns:
            In evaluation the neck feature (N, D), not normalized. In training a dict:
            `cls_outputs` (N, classes), what the cross entropy takes; `pred_class_logits`
            (N, classes), scaled, without a margin; `features` (N, D) for the metric losses.

        Raises:
            ValueError: in training, if the head was built without classes.
        """
        pooled = self.pool_layer(features)
        neck = self.bottleneck(pooled)
        neck = neck.reshape(neck.shape[0], neck.shape[1])
        if not self.training:
            return neck
        if self.num_classes <= 0:
            raise ValueError(
                "MODEL.HEADS.NUM_CLASSES is 0, so this head cannot train; set it to the number of "
                "training identities."
            )
        if self.cls_layer.takes_cosines:
            logits = ops.dense(l2_normalize(neck), l2_normalize(self.weight))
        else:
            logits = ops.dense(neck, self.weight)
        if self.neck_feat == "before":
            metric_features = pooled.reshape(pooled.shape[0], pooled.shape[1])
        else:
            metric_features = neck
        return {
            "cls_outputs": self.cls_layer(logits, targets),
            "pred_class_logits": logits * self.cls_layer.s,
            "features": metric_features,
        }
