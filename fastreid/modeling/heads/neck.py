"""The part that all heads share: pooling and a neck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode
from fastreid.layers import GroupNorm, get_pooling, l2_normalize

NECK_FEATS = ("before", "after")


class NeckHead(nn.Cell):
    """Base of the heads: pools the map and passes the result through the neck.

    The neck is an optional 1x1 convolution and an optional norm, whose shift is not trained. A
    subclass adds its classifiers and the method `training_outputs`.

    Args:
        feat_dim: C of the feature map.
        embedding_dim: D of the embedding, the output of the 1x1 convolution; 0: none, D is C.
        neck_feat: which feature the metric losses get: "before" or "after" the neck.
        pool_type: name of the pooling.
        conv: builds the convolution from its channel counts and kernel size.
        norm: builds the norm from its channel count; None: no norm.
    """

    # Names, below the head, of the parameters whose shapes depend on the training identities. A
    # parameter whose name begins with one of them may be missing in a file of weights, or have
    # another shape there.
    classifier_names: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        feat_dim: int,
        embedding_dim: int,
        neck_feat: str,
        pool_type: str,
        conv: Callable[[int, int, int], nn.Cell],
        norm: Callable[[int], nn.Cell] | None,
    ) -> None:
        super().__init__()
        if neck_feat not in NECK_FEATS:
            raise ValueError(
                f"MODEL.HEADS.NECK_FEAT {neck_feat!r} is unknown; it must be one of {NECK_FEATS}."
            )
        self.pool_layer = get_pooling(pool_type)
        self.neck_feat = neck_feat
        self.embedding_dim = embedding_dim or feat_dim
        neck = []
        if embedding_dim > 0:
            neck.append(conv(feat_dim, embedding_dim, 1))
        if norm is not None:
            neck.append(norm(self.embedding_dim))
            _freeze_shift(neck[-1])
        self.bottleneck = nn.SequentialCell(neck)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Read the constructor arguments that all heads share from the config."""
        heads = cfg.MODEL.HEADS
        return {
            "feat_dim": cfg.MODEL.BACKBONE.FEAT_DIM,
            "embedding_dim": heads.EMBEDDING_DIM,
            "neck_feat": heads.NECK_FEAT,
            "pool_type": heads.POOL_LAYER,
            "cls_type": heads.CLS_LAYER,
            "scale": heads.SCALE,
            "margin": heads.MARGIN,
            "with_bnneck": heads.WITH_BNNECK,
            "norm_type": heads.NORM,
        }

    def construct(self, features: Tensor, targets: Tensor | None = None) -> Tensor | dict:
        """Compute the embedding, and in training the outputs that the losses need.

        Args:
            features: (N, C, H, W).
            targets: (N,) int32 class of each row, needed in training only.

        Returns:
            In evaluation the neck feature (N, D), not normalized. In training the dict of
            `training_outputs`.
        """
        pooled, neck = self._pool(features)
        if not self.training:
            return neck
        return self._classify(pooled, neck, targets)

    def classify(self, features: Tensor, targets: Tensor) -> dict:
        """Compute the outputs that the losses need, in evaluation mode too, as a teacher does.

        Args:
            features: (N, C, H, W).
            targets: (N,) int32 class of each row.

        Returns:
            The dict of `training_outputs`.
        """
        pooled, neck = self._pool(features)
        return self._classify(pooled, neck, targets)

    def _pool(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pooled map and the neck feature (N, D)."""
        pooled = self.pool_layer(features)
        neck = self.bottleneck(pooled)
        return pooled, neck.reshape(neck.shape[0], neck.shape[1])

    def _classify(self, pooled: Tensor, neck: Tensor, targets: Tensor | None) -> dict:
        pooled = pooled.reshape(pooled.shape[0], pooled.shape[1])
        return self.training_outputs(pooled, neck, targets)

    def training_outputs(self, pooled: Tensor, neck: Tensor, targets: Tensor) -> dict:
        """Classify the rows of a batch; implemented by the subclass.

        Args:
            pooled: (N, C), the feature before the neck.
            neck: (N, D), the feature after the neck.
            targets: (N,) int32 class of each row.

        Returns:
            `cls_outputs`, the logits for the cross entropy; `pred_class_logits`, scaled, without a
            margin; `features`, for the metric losses; and the inputs of further losses of the
            subclass.
        """
        raise NotImplementedError


def _freeze_shift(norm: nn.Cell) -> None:
    """Exclude a norm's shift from training; fast-reid trains that of its group norm."""
    shift = getattr(norm, "beta", None)
    if shift is not None and not isinstance(norm, GroupNorm):
        shift.requires_grad = False


def cosine_logits(features: Tensor, class_weights: Tensor) -> Tensor:
    """Cosines between features and class weights: (N, D), (classes, D) -> (N, classes)."""
    return ops.dense(l2_normalize(features), l2_normalize(class_weights))
