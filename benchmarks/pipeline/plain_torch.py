"""The same transforms, once per image, in a plain torch DataLoader over PIL.

Started by data_pipeline.py. Needs torch and PIL only. It is written without optimizations: one
transform after the other, as in torchvision.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch.utils.data import DataLoader, Dataset

from benchmarks.pipeline.contender import endless_batches, read_job, serve

_GRAY = (128, 128, 128)


def _filter() -> Image.Resampling:
    return random.choice((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))


def _either_sign(value: float) -> float:
    return random.choice((-value, value))


def _shear_x(image: Image.Image, level: int) -> Image.Image:
    rows = (1, _either_sign(0.03 * level), 0, 0, 1, 0)
    affine = Image.Transform.AFFINE
    return image.transform(image.size, affine, rows, _filter(), fillcolor=_GRAY)


OPERATIONS = {
    "AutoContrast": lambda image, _: ImageOps.autocontrast(image),
    "Color": lambda image, level: ImageEnhance.Color(image).enhance(0.1 + 0.18 * level),
    "Contrast": lambda image, level: ImageEnhance.Contrast(image).enhance(0.1 + 0.18 * level),
    "Equalize": lambda image, _: ImageOps.equalize(image),
    "Invert": lambda image, _: ImageOps.invert(image),
    "Posterize": lambda image, level: ImageOps.posterize(image, 4 + int(0.4 * level)),
    "Rotate": lambda image, level: image.rotate(
        _either_sign(3 * level), _filter(), fillcolor=_GRAY
    ),
    "Sharpness": lambda image, level: ImageEnhance.Sharpness(image).enhance(0.1 + 0.18 * level),
    "ShearX": _shear_x,
    "Solarize": lambda image, level: ImageOps.solarize(image, int(25.6 * level)),
}
# The ImageNet policy (Cubuk et al., CVPR 2019, table 9): operation, probability, level; twice.
POLICY = [
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, 4), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, 7)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, 2)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, 8), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, 2)),
    (("Equalize", 0.0, 7), ("Equalize", 0.8, 8)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, 8)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, 9)),
    (("Color", 0.4, 0), ("Equalize", 0.6, 3)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
]


def auto_augment(image: Image.Image) -> Image.Image:
    """Apply a random pair of operations of the policy."""
    for name, prob, level in random.choice(POLICY):
        if random.random() < prob:
            image = OPERATIONS[name](image, level)
    return image


def pad_and_crop(image: Image.Image, padding: int) -> Image.Image:
    """Add black borders, and crop a random window of the original size."""
    wide = ImageOps.expand(image, padding, fill=0)
    left, top = (random.randint(0, 2 * padding) for _ in range(2))
    return wide.crop((left, top, left + image.width, top + image.height))


def adjust_hue(image: Image.Image, shift: float) -> Image.Image:
    """Shift hues by a fraction of the colour circle."""
    hue, saturation, value = image.convert("HSV").split()
    # uint8 arithmetic wraps around, like hues.
    turned = np.array(hue, dtype=np.uint8) + np.int32(shift * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")


def color_jitter(image: Image.Image, recipe: dict) -> Image.Image:
    """Change brightness, contrast, saturation and hue, in random order."""
    enhancers = [
        (ImageEnhance.Brightness, recipe["brightness"]),
        (ImageEnhance.Contrast, recipe["contrast"]),
        (ImageEnhance.Color, recipe["saturation"]),
        (None, recipe["hue"]),
    ]
    random.shuffle(enhancers)
    for enhancer, spread in enhancers:
        change = random.uniform(-spread, spread)
        image = enhancer(image).enhance(1 + change) if enhancer else adjust_hue(image, change)
    return image


class Images(Dataset):
    """Image files, augmented with the recipe."""

    def __init__(self, items: list, recipe: dict) -> None:
        self.items = items
        self.recipe = recipe

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict:
        path, pid, camid = self.items[index]
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
        image = self._augment(image)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float()
        return {"images": pixels, "targets": pid, "camids": camid, "img_paths": path}

    def _augment(self, image: Image.Image) -> Image.Image:
        recipe = self.recipe
        if random.random() < recipe["autoaug_prob"]:
            image = auto_augment(image)
        height, width = recipe["size"]
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        image = pad_and_crop(image, recipe["padding"])
        if random.random() < recipe["flip_prob"]:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < recipe["jitter_prob"]:
            image = color_jitter(image, recipe)
        return image


def main() -> None:
    """Serve batches of a torch DataLoader."""
    job = read_job()
    # As in DataLoader's workers. Idle threads that spin would be counted as processor time.
    torch.set_num_threads(1)
    loader = DataLoader(
        Images(job["items"], job["recipe"]),
        num_workers=job["num_workers"],
        batch_sampler=endless_batches(len(job["items"]), job["batch_size"]),
    )
    serve(job, iter(loader))


if __name__ == "__main__":
    main()
