"""Transforms from the INPUT section of the config."""

from __future__ import annotations

import numpy as np

from fastreid.config import CfgNode, explicit_config

from .augmix import AugMix
from .autoaugment import AutoAugment
from .compose import ArrayTransform, Compose, RandomApply, ToTensor, Transform
from .crops import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
from .erasing import RandomErasing, RandomPatch
from .jitter import ColorJitter, RandomAffine, RandomHorizontalFlip
from .own_transform import build_own_transforms


def build_transforms(cfg: CfgNode, *, is_train: bool = True, dtype: type = np.float32) -> Compose:
    """Build the transforms of one image (fast-reid's ``build_transforms``).

    Args:
        cfg: the whole configuration; INPUT is read after `explicit_config`.
        is_train: True for random augmentation, False for resizing and centre crop only.
        dtype: float32, or uint8 for data loaders, which convert batches to float32. An image that
            random erasing fills with fractions is float32 in both cases.

    Returns:
        A callable from an RGB image and a random generator to (3, H, W), 0 to 255.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.config import get_cfg
        >>> from fastreid.data.transforms import build_transforms
        >>> transform = build_transforms(get_cfg(), is_train=False)
        >>> transform(Image.new("RGB", (60, 120)), np.random.default_rng(0)).shape
        (3, 256, 128)
    """
    cfg = explicit_config(cfg)
    before, after = _train_steps(cfg) if is_train else _test_steps(cfg)
    return Compose([*before, ToTensor(dtype=dtype), *after])


def build_batch_transform(cfg: CfgNode) -> RandomPatch | None:
    """Build the transform of a whole training batch: random patches.

    Args:
        cfg: the whole configuration; INPUT.RPT is read after `explicit_config`.

    Returns:
        A callable on (N, 3, H, W) and a random generator; None where INPUT.RPT is off.
    """
    patches = explicit_config(cfg).INPUT.RPT
    return RandomPatch(prob=patches.PROB) if patches.ENABLED else None


def _train_steps(cfg: CfgNode) -> tuple[list[Transform], list[ArrayTransform]]:
    """Build the transforms before and after the conversion from image to array."""
    given = cfg.INPUT
    steps: list[Transform] = []
    if given.AUTOAUG.ENABLED:
        steps.append(RandomApply(AutoAugment(), prob=given.AUTOAUG.PROB))
    if given.SIZE_TRAIN[0] > 0:
        steps.append(Resize(given.SIZE_TRAIN))
    if given.CROP.ENABLED:
        steps.append(
            RandomResizedCrop(given.CROP.SIZE, scale=given.CROP.SCALE, ratio=given.CROP.RATIO)
        )
    if given.PADDING.ENABLED:
        steps += [Pad(given.PADDING.SIZE, mode=given.PADDING.MODE), RandomCrop(given.SIZE_TRAIN)]
    if given.FLIP.ENABLED:
        steps.append(RandomHorizontalFlip(prob=given.FLIP.PROB))
    if given.CJ.ENABLED:
        steps.append(_color_jitter(cfg))
    if given.AFFINE.ENABLED:
        steps.append(RandomAffine())
    if given.AUGMIX.ENABLED:
        steps.append(AugMix(prob=given.AUGMIX.PROB))
    steps += build_own_transforms(cfg, given.TRANSFORMS_TRAIN)
    erasing = RandomErasing(prob=given.REA.PROB, value=given.REA.VALUE)
    return steps, [erasing] * given.REA.ENABLED


def _color_jitter(cfg: CfgNode) -> Transform:
    given = cfg.INPUT.CJ
    jitter = ColorJitter(
        brightness=given.BRIGHTNESS,
        contrast=given.CONTRAST,
        saturation=given.SATURATION,
        hue=given.HUE,
    )
    return RandomApply(jitter, prob=given.PROB)


def _test_steps(cfg: CfgNode) -> tuple[list[Transform], list[ArrayTransform]]:
    steps: list[Transform] = []
    if cfg.INPUT.SIZE_TEST[0] > 0:
        steps.append(Resize(cfg.INPUT.SIZE_TEST))
    if cfg.INPUT.CROP.ENABLED:
        steps.append(CenterCrop(cfg.INPUT.CROP.SIZE))
    steps += build_own_transforms(cfg, cfg.INPUT.TRANSFORMS_TEST)
    return steps, []
