"""Which places of an image are active, and which of two images add to their cosine.

Gradient times activation (Shrikumar et al., "Learning important features through propagating
activation differences", ICML 2017, section 2.2) of the last map. For a function that is homogeneous
of degree 1, as means, maxima and generalized means over the places are, its sum is the value of the
function (Euler).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from fastreid.deploy import PictureError

from .parts import ExplainError, MapParts, divide

_TINY = 1e-12


class PairExplanation(NamedTuple):
    """What each place of two images adds to the cosine of their features.

    `query_map.sum() + gallery_map.sum() + bias + rest` is `cosine`. A product of a place of one
    image and a place of the other one counts half for each.

    Attributes:
        query_map: (h, w) of the query; negative where a place makes the images less similar.
        gallery_map: (h, w) of the gallery image.
        bias: what the neck's shift adds, which belongs to no place.
        cosine: of both features, in [-1, 1].
        rest: what is left over: rounding errors for means, maxima and generalized means; in
            transformers the part of the class token from earlier blocks, often most of the cosine.
    """

    query_map: np.ndarray
    gallery_map: np.ndarray
    bias: float
    cosine: float
    rest: float = 0.0


class Explainer:
    """Explains images and pairs; what it compiles in graph mode serves all of them.

    Example, with a model and images of the reader::

        explainer = Explainer(DefaultPredictor(cfg))
        for result in results:
            query_map, gallery_map, bias, cosine, rest = explainer.pair("query.jpg", result)

    Args:
        predictor: a `fastreid.engine.DefaultPredictor`, or an object with its `model` and
            `prepare`.

    Raises:
        ExplainError: for a model other than `Baseline` or `ACL`, their subclasses and `MGN`.
    """

    def __init__(self, predictor: Any) -> None:
        if not (hasattr(predictor, "model") and hasattr(predictor, "prepare")):
            raise ExplainError(
                f"Explanations need the network of a DefaultPredictor, not {type(predictor)}: "
                "exported files cannot be differentiated."
            )
        self._predictor = predictor
        self._parts = divide(predictor.model)
        self._slopes = _Slopes(self._parts)

    def image(self, image: Any) -> np.ndarray:
        """Compute the activation map of an image.

        Args:
            image: a path, a PIL image, a uint8 array (H, W, 3), or (1, 3, H, W) floats.

        Returns:
            (h, w) float64, the length of the last map's channels at each place, >= 0. For several
            branches the root of the sum of their squares; for a transformer the lengths of the
            patches that enter the last block.

        Raises:
            ImageError: if a file is missing or cannot be read.
            PictureError: if something else is given.
            ExplainError: if the last map has one place only.
        """
        tensors = self._split(self.prepare(image))
        squares = [
            _over_channels(tensor.asnumpy().astype(np.float64) ** 2)
            for tensor in self._parts.measured(tensors)
        ]
        # `places` keeps sums, but lengths do not depend on the number of places.
        counts = [int(np.prod(each.shape[1:])) for each in squares]
        scaled = [each * (max(counts) / count) for each, count in zip(squares, counts)]
        return np.sqrt(self._parts.places(scaled)[0])

    def pair(self, query_image: Any, gallery_image: Any) -> PairExplanation:
        """Compute what each place of two images adds to the cosine of their features.

        Args:
            query_image: as of `image`.
            gallery_image: as of `image`.

        Returns:
            Maps and numbers whose sum is the cosine.

        Raises:
            ImageError: if a file is missing or cannot be read.
            PictureError: if something else is given.
            ExplainError: if the last map has one place only, or features are not finite.
        """
        images = np.concatenate([self.prepare(query_image), self.prepare(gallery_image)])
        tensors = self._split(images)
        features = self._parts.join(*tensors).asnumpy().astype(np.float64)
        shifts = self._parts.shift(tensors).asnumpy().astype(np.float64)
        length = max(float(np.prod(np.linalg.norm(features, axis=1))), _TINY)
        # What a feature is multiplied with to give half the cosine.
        directions = features[::-1] / (2 * length)
        maps = self._contributions(directions, tensors)
        bias = float((shifts * directions).sum())
        cosine = float((features * directions).sum())
        if not np.isfinite(cosine):
            raise ExplainError("The features are not finite numbers: are the weights damaged?")
        rest = cosine - bias - float(maps.sum())
        return PairExplanation(maps[0], maps[1], bias, cosine, rest)

    def prepare(self, image: Any) -> np.ndarray:
        """Read one image as the model gets it: (1, 3, H, W) float32, RGB, 0 to 255.

        Args:
            image: as of the method `image`.

        Raises:
            ImageError: if a file is missing or cannot be read.
            PictureError: if something else, or not one image, is given.
        """
        batch = self._predictor.prepare(image)
        if len(batch) != 1:
            raise PictureError(f"One image is expected, {len(batch)} were given.")
        return batch

    def _split(self, images: np.ndarray) -> tuple[Tensor, ...]:
        tensors = self._parts.split(Tensor(images))
        shapes = [tensor.shape for tensor in tensors]
        if all(shape[-2:] == (1, 1) for shape in shapes):
            raise ExplainError(
                "The last map of this backbone has one place only, so there is nothing to explain: "
                "images are too small, or the backbone pools its map itself."
            )
        return tensors

    def _contributions(self, directions: np.ndarray, tensors: tuple[Tensor, ...]) -> np.ndarray:
        """Gradient times activation: directions (N, D) of the features -> maps (N, h, w)."""
        slopes = self._slopes(Tensor(directions.astype(np.float32)), *tensors)
        products = [
            _over_channels(tensor.asnumpy().astype(np.float64) * slope.asnumpy())
            for tensor, slope in zip(tensors, slopes)
        ]
        return self._parts.places(products)


class _Slopes(nn.Cell):
    """Gradients of products of features and directions.

    Args:
        parts: of the model.
    """

    def __init__(self, parts: MapParts) -> None:
        super().__init__(auto_prefix=False)
        self.join = parts.join
        # For one position, `ms.grad` gives a tensor in place of a tuple.
        self.has_one = parts.explained == 1
        positions = tuple(range(1, 1 + parts.explained))
        self.gradients = ms.grad(self.score, positions)

    def score(self, directions: Tensor, *tensors: Tensor) -> Tensor:
        """Sum of the products of directions (N, D) and features (N, D)."""
        return (self.join(*tensors) * directions).sum()

    def construct(self, directions: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """For each explained tensor its gradient, of its shape."""
        slopes = self.gradients(directions, *tensors)
        return (slopes,) if self.has_one else slopes


def _over_channels(values: np.ndarray) -> np.ndarray:
    """Sum over channels: maps (N, C, h, w) -> (N, h, w), tokens (N, T, D) -> (N, T)."""
    return values.sum(axis=1 if values.ndim == 4 else 2)


def explain_image(predictor: Any, image: Any) -> np.ndarray:
    """Compute the activation map of an image: `Explainer.image` for one image.

    Args:
        predictor: as of `Explainer`.
        image: a path, a PIL image, a uint8 array (H, W, 3), or (1, 3, H, W) floats.

    Returns:
        (h, w), >= 0.
    """
    return Explainer(predictor).image(image)


def explain_pair(predictor: Any, query_image: Any, gallery_image: Any) -> PairExplanation:
    """Compute what each place of two images adds to their cosine: `Explainer.pair` for one pair.

    Example, with a model and images of the reader::

        why = explain_pair(DefaultPredictor(cfg), "query.jpg", "result.jpg")
        why.query_map.sum() + why.gallery_map.sum() + why.bias + why.rest  # why.cosine

    Args:
        predictor: as of `Explainer`.
        query_image: a path, a PIL image, a uint8 array (H, W, 3), or (1, 3, H, W) floats.
        gallery_image: the same.

    Returns:
        Maps (h, w) of both images and the numbers that belong to no place.
    """
    return Explainer(predictor).pair(query_image, gallery_image)
