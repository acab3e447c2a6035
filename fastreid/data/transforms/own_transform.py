"""Transforms of users, with checks of what they give."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fastreid.config import CfgNode
from fastreid.utils.messages.own_code import locating_errors
from fastreid.utils.registry import Registry

from .compose import Transform

# Each entry is called with the config and gives a transform: called with an RGB image and a random
# generator, it gives an RGB image.
TRANSFORM_REGISTRY = Registry("TRANSFORM")


class CheckedTransform:
    """A user's transform; a result that is no RGB image is an error that names it.

    Args:
        name: of the transform, for messages.
        transform: called as ``transform(image, rng)``.
    """

    def __init__(self, name: str, transform: Transform) -> None:
        self.name = name
        self.transform = transform

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image.

        Args:
            image: (H, W) RGB image.
            rng: where every random choice comes from.

        Returns:
            (h, w) RGB image.

        Raises:
            TypeError: the transform gave something else.
        """
        result = self.transform(image, rng)
        if not isinstance(result, Image.Image) or result.mode != "RGB":
            kind = f"an image of mode {result.mode}" if isinstance(result, Image.Image) else None
            raise TypeError(
                f"the transform {self.name} must give an RGB image of PIL, but gave "
                f"{kind or type(result).__name__}"
            )
        return result


def build_own_transforms(cfg: CfgNode, names: Sequence[str]) -> list[Transform]:
    """Build registered transforms.

    Args:
        cfg: given to each; DATALOADER.NUM_WORKERS.
        names: as registered, in the order in which they are applied.

    Returns:
        Called with an RGB image and a random generator; give an RGB image.

    Raises:
        KeyError: no transform of that name is registered.
        ValueError: it is no function of an image, or cannot be sent to data workers.
    """
    return [_build(cfg, name) for name in names]


def _build(cfg: CfgNode, name: str) -> Transform:
    make = TRANSFORM_REGISTRY.get(name)
    with locating_errors(f"The transform {name}", make):
        transform = make(cfg)
    if not callable(transform):
        raise ValueError(
            f"The transform {name} must be called as transform(image, rng), but "
            f"{type(transform).__name__} cannot be called; give its class a method __call__."
        )
    if cfg.DATALOADER.NUM_WORKERS:
        _check_portable(name, transform)
    return CheckedTransform(name, transform)


def _check_portable(name: str, transform: Transform) -> None:
    try:
        pickled = pickle.dumps(transform)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"The transform {name} cannot be sent to data workers: {error}. Define its class at "
            "the top of its module, without lambdas and open files in its attributes, or set "
            "DATALOADER.NUM_WORKERS 0."
        ) from error
    # Workers do not run the script that was started.
    if b"__main__" in pickled:
        raise ValueError(
            f"The transform {name} is defined in the script that was started, where data workers "
            "do not find it; put it into a file of its own and name that in MODULES, or set "
            "DATALOADER.NUM_WORKERS 0."
        )
