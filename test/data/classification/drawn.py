"""Folders with images of a colour for each class."""

import numpy as np
from PIL import Image

COLOURS = {"ants": (220, 40, 40), "bees": (40, 200, 40), "wasps": (40, 40, 220)}


def draw_classes(folder, *, train=6, val=4, colours=COLOURS, suffix=".jpg"):
    """Write <folder>/train/<class> and <folder>/val/<class>."""
    rng = np.random.RandomState(0)
    for split, count in (("train", train), ("val", val)):
        for name, colour in colours.items():
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(rng.normal(colour, 25, (40, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{number}{suffix}")
    return folder
