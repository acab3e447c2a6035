"""ACL's head: pooling, a normalized neck, one classifier per source domain, learned centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable, named_classes
from fastreid.layers import get_cls_layer, get_pooling, l2_normalize

from ..ops import MetaConv2d, MetaLinear, MetaParam, meta_norm
from .build import REID_HEADS_REGISTRY
from .embedding_head import NECK_FEATS


def classes_per_domain(cfg: CfgNode) -> list[int]:
    """Read the number of identities of each source domain from the config.

    Args:
        cfg: the whole configuration; CLASSES_PER_DOMAIN wins over NUM_CLASSES1 to 3.

    Returns:
        One count per domain; empty where none is set, which builds a head for evaluation only.

    Raises:
        ValueError: for a single domain or a count below two.
    """
    key, counts = named_classes(cfg)
    if counts and (len(counts) < 2 or min(counts) < 2):
        raise ValueError(
            f"MetaEmbeddingHead learns from two or more source domains of two or more identities "
            f"each, but {key} is {counts}; name the domains in DATASETS.NAMES."
        )
    return counts


@REID_HEADS_REGISTRY.register()
class MetaEmbeddingHead(nn.Cell):
    """Pool the map, pass the neck, classify under every domain's own classifier.

    Args:
        feat_dim: C of the feature map.
        embedding_dim: D of the embedding, made by a 1x1 convolution; 0 keeps C.
        classes_per_domain: identities of each source domain; empty: evaluation only.
        neck_feat: what the triplet losses see: the pooled feature ("before") or the l2-normalized
            neck feature ("after").
        pool_type: name of the pooling.
        cls_type: name of the softmax variant.
        scale: multiplied into the logits.
        margin: of the softmax variant.
        with_bnneck: whether the neck has a batch norm, whose shift is not trained.
        norm_type: name of that norm: "BN" or "syncBN".
    """

    @configurable
    def __init__(
        self,
        *,
        feat_dim: int,
        embedding_dim: int,
        classes_per_domain: Sequence[int],
        neck_feat: str,
        pool_type: str,
        cls_type: str,
        scale: float,
        margin: float,
        with_bnneck: bool,
        norm_type: str = "BN",
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
            neck.append(MetaConv2d(feat_dim, embedding_dim, 1))
            feat_dim = embedding_dim
        if with_bnneck:
            neck.append(meta_norm(norm_type)(feat_dim, bias_freeze=True))
        self.bottleneck = nn.SequentialCell(neck)
        self.num_domains = len(classes_per_domain)
        self.num_classes = sum(classes_per_domain)
        self.first_labels = tuple(int(n) for n in np.cumsum([0, *classes_per_domain])[:-1])
        if self.num_domains:
            self.classifiers = nn.CellList(
                [MetaLinear(feat_dim, count, init_std=0.01) for count in classes_per_domain]
            )
            self.cls_layers = nn.CellList(
                [get_cls_layer(cls_type)(count, scale, margin) for count in classes_per_domain]
            )
            self.center = MetaParam(feat_dim, self.num_classes)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Read the constructor's arguments from the config."""
        heads = cfg.MODEL.HEADS
        return {
            "feat_dim": cfg.MODEL.BACKBONE.FEAT_DIM,
            "embedding_dim": heads.EMBEDDING_DIM,
            "classes_per_domain": classes_per_domain(cfg),
            "neck_feat": heads.NECK_FEAT,
            "pool_type": heads.POOL_LAYER,
            "cls_type": heads.CLS_LAYER,
            "scale": heads.SCALE,
            "margin": heads.MARGIN,
            "with_bnneck": heads.WITH_BNNECK,
            "norm_type": heads.NORM,
        }

    def construct(self, features: Tensor, targets: Tensor | None = None) -> Tensor | dict:
        """Embed, and in training classify.

        Args:
            features: (N, C, H, W).
            targets: (N,) int32 global classes, needed in training only.

        Returns:
            In evaluation the neck feature (N, D), not normalized. In training a dict:
            `cls_outputs`, a tuple of (N, classes of the domain); `pred_class_logits`, the same
            without a margin; `center_distances` (N,); `features` (N, D).

        Raises:
            ValueError: in training, if the head was built without classes.
        """
        pooled = self.pool_layer(features)
        neck = self.bottleneck(pooled)
        neck = neck.reshape(neck.shape[0], neck.shape[1])
        if not self.training:
            return neck
        if self.num_domains == 0:
            raise ValueError(
                "MODEL.HEADS.CLASSES_PER_DOMAIN is empty, so this head cannot train; set it to the "
                "identities of each source domain."
            )
        cls_outputs: tuple[Tensor, ...] = ()
        pred_class_logits: tuple[Tensor, ...] = ()
        for domain in range(self.num_domains):
            cls_layer, classifier = self.cls_layers[domain], self.classifiers[domain]
            if cls_layer.takes_cosines:
                logits = ops.dense(l2_normalize(neck), l2_normalize(classifier.weight))
            else:
                logits = classifier(neck)
            local = targets - self.first_labels[domain]
            local = ops.clamp(local, 0, logits.shape[1] - 1)
            cls_outputs = cls_outputs + (cls_layer(logits, local),)
            pred_class_logits = pred_class_logits + (logits * cls_layer.s,)
        if self.neck_feat == "before":
            metric_features = pooled.reshape(pooled.shape[0], pooled.shape[1])
        else:
            metric_features = l2_normalize(neck)
        return {
            "cls_outputs": cls_outputs,
            "pred_class_logits": pred_class_logits,
            "center_distances": self.center(neck, targets),
            "features": metric_features,
        }
