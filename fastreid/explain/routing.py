"""The weights of ACL's adaptors: its routers' outputs, for images and for domains.

Zhang et al., "Adaptive Cross-Domain Learning for Generalizable Person Re-Identification",
ECCV 2022, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mindspore import Tensor, nn

from .parts import ExplainError

# Images of a batch of `explain_routing`, at most.
ROUTING_BATCH = 16


class DomainRouting(NamedTuple):
    """The routing of the images of several domains.

    Attributes:
        weights: domain -> (N, S, K): for each image and stage the weights of K adaptors, which sum
            to 1.
        distances: (P, P) Euclidean distances of the domains' mean paths, in the order of `weights`.
            A path is the weights of an image side by side, scaled to length 1 as in ACL's losses.
    """

    weights: Mapping[str, np.ndarray]
    distances: np.ndarray


def explain_routing(predictor: Any, images: Sequence[Any]) -> np.ndarray:
    """Compute the weights of the adaptors in each stage of ACL's backbone.

    Example, with a model and images of the reader::

        weights = explain_routing(DefaultPredictor(cfg), ["a.jpg", "b.jpg"])
        weights[0, 2]  # of "a.jpg" in the third stage; their sum is 1

    Args:
        predictor: a `fastreid.engine.DefaultPredictor`, or an object with its `model` and
            `prepare`.
        images: paths, PIL images or uint8 arrays (H, W, 3); one at least.

    Returns:
        (N, S, K) float32 of N images, S stages and K adaptors.

    Raises:
        ExplainError: if the model has no routers.
        ImageError: if a file is missing or cannot be read.
        PictureError: if something else is given.
        ValueError: without images.
    """
    require_routers(predictor.model)
    if len(images) == 0:
        raise ValueError("There are no images whose routing can be computed.")
    shape = predictor.model.backbone.path_shape
    route = _Paths(predictor.model)
    batches = _batches(predictor, images)
    paths = [route(Tensor(batch)).asnumpy()[:count] for batch, count in batches]
    return np.concatenate(paths).reshape(-1, *shape)


def require_routers(model: nn.Cell) -> None:
    """Check that a model has ACL's routers.

    Args:
        model: the model of a predictor.

    Raises:
        ExplainError: if it has none.
    """
    backbone = getattr(model, "backbone", None)
    if not (getattr(model, "takes_paths", False) and hasattr(backbone, "path_shape")):
        raise ExplainError(
            f"This {type(model).__name__} has no routers. Routing is that of ACL: "
            "MODEL.BACKBONE.NAME build_meta_dynamic_router_resnet_backbone with MODEL.HEADS.NAME "
            "MetaEmbeddingHead."
        )


def compare_domains(weights: Mapping[str, np.ndarray]) -> DomainRouting:
    """Compare the routing of domains.

    Args:
        weights: domain -> (N, S, K) of its images, results of `explain_routing`.

    Returns:
        The weights, and the distances of the domains' mean paths.
    """
    if not weights:
        return DomainRouting({}, np.zeros((0, 0)))
    means = np.stack([unit_paths(each).mean(axis=0) for each in weights.values()])
    differences = means[:, None] - means[None]
    return DomainRouting(dict(weights), np.linalg.norm(differences, axis=2))


def unit_paths(weights: np.ndarray) -> np.ndarray:
    """Scale the paths of images to length 1, as ACL's losses do: (N, S, K) -> (N, S * K)."""
    paths = weights.reshape(len(weights), -1).astype(np.float64)
    return paths / np.linalg.norm(paths, axis=1, keepdims=True)


class _Paths(nn.Cell):
    def __init__(self, model: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> (N, S * K)."""
        return self.model.run_backbone(images)[1]


def _batches(predictor: Any, images: Sequence[Any]) -> Iterator[tuple[np.ndarray, int]]:
    """Batches of one size, the last one filled up with zeros, and the number of their images."""
    size = min(ROUTING_BATCH, len(images))
    for start in range(0, len(images), size):
        batch = predictor.prepare(list(images[start : start + size]))
        count = len(batch)
        if count < size:
            batch = np.concatenate([batch, np.zeros((size - count, *batch.shape[1:]), batch.dtype)])
        yield batch, count
