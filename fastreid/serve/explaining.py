"""Why a result matches a query: what the places of both pictures add to their cosine."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from fastreid.utils.messages.errors import ExplainedError

if TYPE_CHECKING:
    from fastreid.explain import Explainer


class ExplanationError(ExplainedError, ValueError):
    """A pair of pictures cannot be explained; the message says why."""


class DrawnPair(NamedTuple):
    """An explanation of two pictures: `query_places + result_places + bias + rest` is `cosine`.

    Attributes:
        cosine: of the features, in [-1, 1].
        query_places, result_places: what the places of each picture add to it.
        bias: what the shift of the neck adds, which belongs to no place.
        rest: what is left over.
        query, result: data URLs of PNG pictures, as the model gets them, with the maps over them.
            Both have one scale of colours.
    """

    cosine: float
    query_places: float
    result_places: float
    bias: float
    rest: float
    query: str
    result: str


class Explanations:
    """Explains pairs of pictures, if the model can.

    Args:
        explainer: of the model; None: pairs cannot be explained.
        reason: why there is no explainer.
    """

    def __init__(self, explainer: Explainer | None, reason: str = "") -> None:
        self._explainer, self._reason = explainer, reason

    @classmethod
    def of_predictor(cls, predictor: Any) -> Explanations:
        """Make the explanations of a network, whose MindSpore is imported already.

        Args:
            predictor: a `fastreid.engine.DefaultPredictor`.
        """
        from fastreid.explain import Explainer, ExplainError

        try:
            return cls(Explainer(predictor))
        except ExplainError as error:
            return cls(None, str(error))

    @property
    def are_available(self) -> bool:
        """Whether pairs can be explained."""
        return self._explainer is not None

    def require(self) -> Explainer:
        """Return the explainer.

        Raises:
            ExplanationError: if there is none.
        """
        if self._explainer is None:
            raise ExplanationError(self._reason)
        return self._explainer

    def __call__(self, query: Image.Image, result: Image.Image) -> DrawnPair:
        """Explain a pair.

        Args:
            query: RGB, of any size.
            result: the same.

        Raises:
            ExplanationError: if the model cannot explain it.
        """
        explainer = self.require()
        from fastreid.explain import ExplainError

        try:
            why = explainer.pair(query, result)
        except ExplainError as error:
            raise ExplanationError(str(error)) from error
        maps = why.query_map, why.gallery_map
        largest = max(float(np.abs(each).max()) for each in maps)
        query_picture, result_picture = (
            _drawn(explainer.prepare(picture), values, largest)
            for picture, values in zip((query, result), maps)
        )
        return DrawnPair(
            cosine=why.cosine,
            query_places=float(why.query_map.sum()),
            result_places=float(why.gallery_map.sum()),
            bias=why.bias,
            rest=why.rest,
            query=query_picture,
            result=result_picture,
        )


def _drawn(batch: np.ndarray, values: np.ndarray, largest: float) -> str:
    """Draw a map over what the model gets, as a data URL."""
    from fastreid.explain import draw_map, to_picture

    content = io.BytesIO()
    picture = draw_map(to_picture(batch), values, largest=largest)
    Image.fromarray(picture).save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
