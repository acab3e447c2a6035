"""Heads: feature maps (N, C, h, w) -> embeddings (N, D), and in training logits."""

from .build import REID_HEADS_REGISTRY, build_heads, classifier_prefixes, unused_in_evaluation
from .clas_head import ClasHead
from .embedding_head import EmbeddingHead
from .meta_embedding_head import MetaEmbeddingHead, classes_per_domain
from .neck import NeckHead

__all__ = [
    "REID_HEADS_REGISTRY",
    "ClasHead",
    "EmbeddingHead",
    "MetaEmbeddingHead",
    "NeckHead",
    "build_heads",
    "classifier_prefixes",
    "classes_per_domain",
    "unused_in_evaluation",
]
