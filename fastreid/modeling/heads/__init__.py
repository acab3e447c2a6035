from .build import REID_HEADS_REGISTRY, build_heads
from .embedding_head import EmbeddingHead
from .meta_embedding_head import MetaEmbeddingHead, classes_per_domain

__all__ = [
    "REID_HEADS_REGISTRY",
    "EmbeddingHead",
    "MetaEmbeddingHead",
    "build_heads",
    "classes_per_domain",
]
