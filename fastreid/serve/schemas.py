"""The JSON objects of the HTTP interface."""

from typing import Optional

from pydantic import BaseModel, Field


class ResultObject(BaseModel):
    """A result of a search."""

    rank: int = Field(description="1 is the best")
    id: str = Field(description="identifier of the gallery entry")
    file: str = Field(description="name of the image file")
    pid: str = Field(description="identity; empty: not known")
    camid: str = Field(description="camera; empty: not known")
    time: Optional[float] = Field(description="seconds since 1970-01-01 00:00 UTC")
    similarity: float = Field(description="cosine of the two features")
    distance: float = Field(description="1 - similarity")
    reranked: Optional[float] = Field(description="distance after re-ranking; null without it")
    image: Optional[str] = Field(description="address of a small picture; null: none is shown")


class SearchAnswer(BaseModel):
    """The results of a search, the best first."""

    results: list[ResultObject]
    pictures: int = Field(description="how many pictures of the person were sent")
    seconds: float = Field(description="time that the search took in the server")


class ExplanationAnswer(BaseModel):
    """Why a result matches: query_places + result_places + bias + rest is the cosine."""

    cosine: float = Field(description="of the features of the first picture and of the result")
    query_places: float = Field(description="what the places of the first picture add")
    result_places: float = Field(description="what the places of the result add")
    bias: float = Field(description="what the shift of the neck adds; it belongs to no place")
    rest: float = Field(description="what is left over")
    query: str = Field(description="first picture under its map, data URL of a PNG picture")
    result: str = Field(description="the result under its map, data URL of a PNG picture")
    pictures: int = Field(description="how many pictures were sent; the first one is explained")


class LimitsObject(BaseModel):
    """What one search may have."""

    upload_bytes: int
    pixels: int
    crops: int
    results: int


class GalleryAnswer(BaseModel):
    """What the gallery holds."""

    images: int
    identities: int
    cameras: list[str]
    earliest: Optional[float] = Field(description="seconds since 1970-01-01 00:00 UTC")
    latest: Optional[float]
    dimension: int = Field(description="length of a feature")
    model: str = Field(description="hash of the model's weights")
    explanations: bool = Field(description="whether /api/explain explains results")
    limits: LimitsObject


class TokenObject(BaseModel):
    """The token, to be exchanged for a cookie."""

    token: str


class StateAnswer(BaseModel):
    """Whether something is in order."""

    status: str


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="a sentence for people")
