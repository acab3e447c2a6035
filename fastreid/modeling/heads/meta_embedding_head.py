"""ACL's head: pooling, a neck with a norm, one classifier per source domain, learned centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, configurable, named_classes
from fastreid.layers import get_cls_layer, l2_normalize
from fastreid.utils.checkpoint.name_rules import register_names

from ..ops import MetaConv2d, MetaLinear, MetaParam, meta_norm
from .build import REID_HEADS_REGISTRY
from .neck import NeckHead, cosine_logits

register_names({"classifiers.{i}": "weight{n}"})


def classes_per_domain(cfg: CfgNode) -> list[int]:
    """Read the number of identities of each source domain from the config.

    Args:
        cfg: the whole configuration; CLASSES_PER_DOMAIN takes precedence over NUM_CLASSES1 to 3.

    Returns:
        One count per domain; empty, for a head for evaluation only, where the config has none.

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
class MetaEmbeddingHead(NeckHead):
    """Pool the map, apply the neck, classify with the classifier of each source domain.

    Args:
        feat_dim: C of the feature map.
        embedding_dim: D of the embedding, the output of a 1x1 convolution; 0: no convolution.
        classes_per_domain: identities of each source domain; empty: evaluation only.
        neck_feat: which feature the triplet losses get: the pooled feature ("before") or the
            l2-normalized neck feature ("after").
        pool_type: name of the pooling.
        cls_type: name of the softmax variant.
        scale: multiplied into the logits.
        margin: margin of the softmax variant.
        with_bnneck: whether the neck has a batch norm, whose shift is not trained.
        norm_type: name of that norm: "BN" or "syncBN".
    """

    classifier_names = ("classifiers.", "center.")

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
        super().__init__(
            feat_dim=feat_dim,
            embedding_dim=embedding_dim,
            neck_feat=neck_feat,
            pool_type=pool_type,
            conv=MetaConv2d,
            norm=meta_norm(norm_type) if with_bnneck else None,
        )
        dim = self.embedding_dim
        self.num_domains = len(classes_per_domain)
        self.num_classes = sum(classes_per_domain)
        self.first_labels = tuple(int(n) for n in np.cumsum([0, *classes_per_domain])[:-1])
        if self.num_domains:
            self.classifiers = nn.CellList(
                [MetaLinear(dim, count, init_std=0.01) for count in classes_per_domain]
            )
            self.cls_layers = nn.CellList(
                [get_cls_layer(cls_type)(count, scale, margin) for count in classes_per_domain]
            )
            self.center = MetaParam(dim, self.num_classes)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Read the constructor's arguments from the config."""
        return {**super().from_config(cfg), "classes_per_domain": classes_per_domain(cfg)}

    def training_outputs(self, pooled: Tensor, neck: Tensor, targets: Tensor) -> dict:
        """Classify the rows of a batch.

        Args:
            pooled: (N, C), the feature before the neck.
            neck: (N, D), the feature after the neck.
            targets: (N,) int32 global class of each row.

        Returns:
            `cls_outputs`, for each domain (N, classes of the domain); `pred_class_logits`, the
            same, scaled, without a margin; `center_distances` (N,); `features` (N, D) for the
            triplet losses.

        Raises:
            ValueError: if the head was built without classes.
        """
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
                logits = cosine_logits(neck, classifier.weight)
            else:
                logits = classifier(neck)
            local = targets - self.first_labels[domain]
            local = ops.clamp(local, 0, logits.shape[1] - 1)
            cls_outputs = cls_outputs + (cls_layer(logits, local),)
            pred_class_logits = pred_class_logits + (logits * cls_layer.s,)
        features = pooled if self.neck_feat == "before" else l2_normalize(neck)
        return {
            "cls_outputs": cls_outputs,
            "pred_class_logits": pred_class_logits,
            "center_distances": self.center(neck, targets),
            "features": features,
        }
