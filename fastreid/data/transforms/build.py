"""Transforms from the INPUT section of the config."""

from __future__ import annotations

import numpy as np

from fastreid.config import CfgNode, is_acl

from .augmix import AugMix
from .autoaugment import AutoAugment
from .compose import Compose, RandomApply, ToTensor, Transform
from .crops import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
from .erasing import RandomErasing, RandomPatch
from .jitter import ColorJitter, RandomAffine, RandomHorizontalFlip
from .own_transform import build_own_transforms


def build_transforms(cfg: CfgNode, *, is_train: bool = True, dtype: type = np.float32) -> Compose:
    """Build what happens to one image between file and batch (fast-reid's ``build_transforms``).

    Args:
        cfg: INPUT, and MODEL.HEADS.NAME, which tells the ACL recipe.
        is_train: with random augmentation, or only resize and centre crop.
        dtype: float32, or uint8 for data loaders, whose batches are float32 all the same; where
            erasing fills with other than whole numbers, an image is float32 already.

    Returns:
        Called with an RGB image and a random generator; gives (3, H, W), 0 to 255.
    """
    before, after = _train_steps(cfg) if is_train else (_test_steps(cfg), [])
    return Compose([*before, ToTensor(dtype=dtype), *after])


def build_batch_transform(cfg: CfgNode) -> RandomPatch | None:
    """Build what happens to a whole training batch: random patches, in the plain path only.

    Args:
        cfg: INPUT.RPT, and MODEL.HEADS.NAME, which tells the ACL recipe.

    Returns:
        Called with (N, 3, H, W) and a random generator; None: nothing to do.
    """
    if cfg.INPUT.RPT.ENABLED and not is_acl(cfg):
        return RandomPatch(prob=cfg.INPUT.RPT.PROB)
    return None


def _train_steps(cfg: CfgNode) -> tuple[list[Transform], list[Transform]]:
    """Transforms of images, and of arrays."""
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
    steps += _acl_steps(cfg) if is_acl(cfg) else _plain_steps(cfg)
    steps += build_own_transforms(cfg, given.TRANSFORMS_TRAIN)
    erasing = RandomErasing(prob=given.REA.PROB, value=given.REA.VALUE)
    return steps, [erasing] * given.REA.ENABLED


def _acl_steps(cfg: CfgNode) -> list[Transform]:
    # Kept from the original: the view it trains on is jittered whatever CJ.ENABLED says, and
    # AFFINE and AUGMIX touch only the view it throws away.
    return [_color_jitter(cfg)]


def _plain_steps(cfg: CfgNode) -> list[Transform]:
    steps: list[Transform] = []
    if cfg.INPUT.CJ.ENABLED:
        steps.append(_color_jitter(cfg))
    if cfg.INPUT.AFFINE.ENABLED:
        steps.append(RandomAffine())
    if cfg.INPUT.AUGMIX.ENABLED:
        steps.append(AugMix(prob=cfg.INPUT.AUGMIX.PROB))
    return steps


def _color_jitter(cfg: CfgNode) -> Transform:
    given = cfg.INPUT.CJ
    jitter = ColorJitter(
        brightness=given.BRIGHTNESS,
        contrast=given.CONTRAST,
        saturation=given.SATURATION,
        hue=given.HUE,
    )
    return RandomApply(jitter, prob=given.PROB)


def _test_steps(cfg: CfgNode) -> list[Transform]:
    steps: list[Transform] = []
    if cfg.INPUT.SIZE_TEST[0] > 0:
        steps.append(Resize(cfg.INPUT.SIZE_TEST))
    if cfg.INPUT.CROP.ENABLED:
        steps.append(CenterCrop(cfg.INPUT.CROP.SIZE))
    steps += build_own_transforms(cfg, cfg.INPUT.TRANSFORMS_TEST)
    return steps
