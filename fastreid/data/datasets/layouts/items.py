"""Convert labelled images to the items of a data set."""

from __future__ import annotations

from collections.abc import Iterable

from fastreid.utils.labels import normal_form

from ..items import Item
from .parts import Labelled


def train_items(images: Iterable[Labelled], dataset: str) -> list[Item]:
    """Give training items; their labels are "<data set>_<label as written>".

    The classes are sorted as texts, so the spelling decides their order: fast-reid also keeps
    leading zeros.

    Args:
        images: images of the training split.
        dataset: registered name of the data set.
    """
    return [
        (str(image.path), f"{dataset}_{image.pid}", f"{dataset}_{image.camid}") for image in images
    ]


def test_items(images: Iterable[Labelled]) -> list[Item]:
    """Give query or gallery items; labels of digits become integers.

    Args:
        images: images of the split.
    """
    return [(str(image.path), normal_form(image.pid), normal_form(image.camid)) for image in images]
