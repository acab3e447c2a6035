"""User transforms, with checks of their results."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fastreid.config import CfgNode
from fastreid.utils.messages.own_code import locating_errors
from fastreid.utils.registry import Registry

from .compose import Transform

# Entries are callables from a config to a transform, which is a callable from an RGB image and a
# random generator to an RGB image.
TRANSFORM_REGISTRY = Registry("TRANSFORM")


class CheckedTransform:
    """A user transform with a check that its result is an RGB image.

    Args:
        name: registered name, for messages.
        transform: callable ``transform(image, rng)``.
    """

    def __init__(self, name: str, transform: Transform) -> None:
        self.name = name
        self.transform = transform

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image.

        Args:
            image: (H, W) RGB image.
            rng: source of all random numbers.

        Returns:
            (h, w) RGB image.

        Raises:
            TypeError: the transform returned something else.
        """
        result = self.transform(image, rng)
        if not isinstance(result, Image.Image) or result.mode != "RGB":
            kind = f"an image of mode {result.mode}" if isinstance(result, Image.Image) else None
            raise TypeError(
                f"the transform {self.name} must return an RGB PIL image, but returned "
                f"{kind or type(result).__name__}"
            )
        return result


def build_own_transforms(cfg: CfgNode, names: Sequence[str]) -> list[Transform]:
    """Build registered transforms.

    Args:
        cfg: the whole configuration, passed to each transform's builder.
        names: registered names, in the order of application.

    Returns:
        Callables from an RGB image and a random generator to an RGB image.

    Raises:
        KeyError: a name is not registered.
        ValueError: a transform is not callable, or cannot be sent to data workers.
    """
    return [_build(cfg, name) for name in names]


def _build(cfg: CfgNode, name: str) -> Transform:
    make = TRANSFORM_REGISTRY.get(name)
    with locating_errors(f"The transform {name}", make):
        transform = make(cfg)
    if not callable(transform):
        raise ValueError(
            f"The transform {name} must be callable as transform(image, rng), but "
            f"{type(transform).__name__} is not callable; add a method __call__ to its class."
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
            "module level, without lambdas or open files in its attributes, or set "
            "DATALOADER.NUM_WORKERS 0."
        ) from error
    # Workers do not run the main script.
    if b"__main__" in pickled:
        raise ValueError(
            f"The transform {name} is defined in the main script, which data workers do not "
            "import. Move it to a separate file and name that file in MODULES, or set "
            "DATALOADER.NUM_WORKERS 0."
        )
