"""Appearance of a generated person: body, hair, clothes and bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

Colour = tuple  # red, green, blue, 0 to 255
_Choice = TypeVar("_Choice")


class Hair(Enum):
    """Hair styles."""

    SHORT = "short"
    LONG = "long"
    BUN = "bun"
    CAP = "cap"


class Pattern(Enum):
    """Patterns of an upper garment. A logo is visible only from the front."""

    PLAIN = "plain"
    STRIPES = "stripes"
    CHECKS = "checks"
    BLOCKS = "blocks"
    LOGO = "logo"


class Lower(Enum):
    """Lower garments."""

    TROUSERS = "trousers"
    SHORTS = "shorts"
    SKIRT = "skirt"


class Bag(Enum):
    """Bags. From the front, only the straps of a backpack are visible."""

    NONE = "none"
    BACKPACK = "backpack"
    HANDBAG = "handbag"


# Colour -> weight. Dark and gray clothes are the most common, as in real data, so that colour alone
# distinguishes few persons.
_CLOTHES: Mapping[Colour, float] = {
    (38, 38, 42): 5,
    (232, 232, 228): 4,
    (128, 130, 134): 4,
    (36, 48, 92): 4,
    (52, 98, 178): 3,
    (186, 40, 44): 3,
    (48, 118, 66): 2,
    (226, 190, 60): 2,
    (196, 172, 136): 2,
    (112, 72, 46): 2,
    (222, 138, 164): 2,
    (112, 66, 140): 1,
    (226, 118, 42): 1,
    (56, 158, 160): 1,
}
_SKINS: Mapping[Colour, float] = {
    (238, 204, 178): 3,
    (222, 178, 142): 3,
    (178, 128, 92): 2,
    (116, 78, 56): 2,
}
_HAIRS: Mapping[Colour, float] = {
    (26, 22, 22): 5,
    (74, 48, 32): 3,
    (138, 100, 58): 2,
    (206, 172, 108): 1,
    (158, 158, 158): 1,
}
_SHOES: Mapping[Colour, float] = {
    (30, 28, 28): 4,
    (228, 228, 226): 3,
    (104, 70, 44): 2,
    (178, 44, 44): 1,
}


@dataclass(frozen=True)
class Identity:
    """Properties of a person that are the same in all pictures.

    Attributes:
        height: height of the body, relative to the tallest person.
        build: width of the body, relative to the average.
        skin: colour of the skin.
        hair: hair style.
        hair_colour: colour of the hair.
        upper_colour: colour of the upper garment.
        pattern: pattern of the upper garment.
        pattern_colour: second colour of stripes, checks, blocks and logo.
        long_sleeves: whether the sleeves cover the forearms.
        lower: kind of the lower garment.
        lower_colour: colour of the lower garment.
        shoe_colour: colour of the shoes.
        bag: kind of bag.
        bag_colour: colour of the bag.
        bag_side: side of a handbag, -1 or 1.
    """

    height: float
    build: float
    skin: Colour
    hair: Hair
    hair_colour: Colour
    upper_colour: Colour
    pattern: Pattern
    pattern_colour: Colour
    long_sleeves: bool
    lower: Lower
    lower_colour: Colour
    shoe_colour: Colour
    bag: Bag
    bag_colour: Colour
    bag_side: int


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw a random person.

    Args:
        rng: generator of all random numbers.
    """
    return Identity(
        height=rng.uniform(0.84, 1.0),
        build=rng.uniform(0.85, 1.25),
        skin=_draw_colour(rng, _SKINS),
        hair=_choose(rng, {Hair.SHORT: 4, Hair.LONG: 4, Hair.BUN: 1, Hair.CAP: 1}),
        hair_colour=_draw_colour(rng, _HAIRS),
        upper_colour=_draw_colour(rng, _CLOTHES),
        pattern=_choose(
            rng,
            {
                Pattern.PLAIN: 4,
                Pattern.STRIPES: 2,
                Pattern.CHECKS: 1,
                Pattern.BLOCKS: 2,
                Pattern.LOGO: 2,
            },
        ),
        pattern_colour=_draw_colour(rng, _CLOTHES),
        long_sleeves=bool(rng.random() < 0.6),
        lower=_choose(rng, {Lower.TROUSERS: 6, Lower.SHORTS: 2, Lower.SKIRT: 2}),
        lower_colour=_draw_colour(rng, _CLOTHES),
        shoe_colour=_draw_colour(rng, _SHOES),
        bag=_choose(rng, {Bag.NONE: 4, Bag.BACKPACK: 3, Bag.HANDBAG: 3}),
        bag_colour=_draw_colour(rng, _CLOTHES),
        bag_side=int(rng.choice([-1, 1])),
    )


def dim(colour: Colour, light: float) -> Colour:
    """Make a colour darker.

    Args:
        colour: red, green, blue.
        light: factor, 0 to 1.

    Returns:
        The darker colour.
    """
    return tuple(int(value * light) for value in colour)


def _choose(rng: np.random.Generator, weights: Mapping[_Choice, float]) -> _Choice:
    chances = np.array(list(weights.values()), dtype=float)
    return list(weights)[rng.choice(len(weights), p=chances / chances.sum())]


def _draw_colour(rng: np.random.Generator, palette: Mapping[Colour, float]) -> Colour:
    """Draw a colour of the palette and vary it."""
    shade = np.array(_choose(rng, palette)) * rng.uniform(0.85, 1.15) + rng.uniform(-8, 8, 3)
    return tuple(int(value) for value in shade.clip(0, 255))
