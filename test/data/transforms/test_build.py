import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.data.transforms import RandomPatch, build_batch_transform, build_transforms

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 20, 3), dtype=np.uint8))


def config(**values):
    cfg = get_cfg()
    cfg.merge_from_list([part for name, value in values.items() for part in (name, value)])
    return cfg


def everything(head):
    names = ("AUTOAUG", "CROP", "PADDING", "FLIP", "CJ", "AFFINE", "AUGMIX", "REA", "RPT")
    cfg = config(**{f"INPUT.{name}.ENABLED": True for name in names})
    cfg.INPUT.CROP.SIZE = [256, 128]
    cfg.MODEL.HEADS.NAME = head
    return cfg


def names_of(transforms):
    steps = [getattr(step, "transform", step) for step in transforms.transforms]
    return [type(step).__name__ for step in steps]


BEFORE = ["AutoAugment", "Resize", "RandomResizedCrop", "Pad", "RandomCrop", "RandomHorizontalFlip"]
AFTER = ["ToTensor", "RandomErasing"]


def test_the_plain_path_has_every_transform_in_order():
    cfg = everything("EmbeddingHead")
    middle = ["ColorJitter", "RandomAffine", "AugMix"]
    assert names_of(build_transforms(cfg)) == BEFORE + middle + AFTER
    assert isinstance(build_batch_transform(cfg), RandomPatch)


def test_the_acl_recipe_always_jitters_and_skips_unused_transforms():
    cfg = everything("MetaEmbeddingHead")
    cfg.INPUT.CJ.ENABLED = False
    assert names_of(build_transforms(cfg)) == [*BEFORE, "ColorJitter", *AFTER]
    assert build_batch_transform(cfg) is None


def test_the_defaults_only_resize():
    cfg = config(**{"MODEL.HEADS.NAME": "EmbeddingHead"})
    assert names_of(build_transforms(cfg)) == ["Resize", "ToTensor"]
    assert build_batch_transform(cfg) is None


def test_testing_resizes_and_crops_the_middle():
    cfg = everything("MetaEmbeddingHead")
    cfg.INPUT.CROP.SIZE = [200, 100]
    transforms = build_transforms(cfg, is_train=False)
    assert names_of(transforms) == ["Resize", "CenterCrop", "ToTensor"]
    assert transforms(IMAGE, np.random.default_rng(0)).shape == (3, 200, 100)


@pytest.mark.parametrize("head", ["EmbeddingHead", "MetaEmbeddingHead"])
def test_what_comes_out_is_a_float32_array_of_the_training_size(head):
    transforms = build_transforms(everything(head))
    for seed in range(5):
        one, again = (transforms(IMAGE, np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == (3, 256, 128)
        assert one.dtype == np.float32
        assert one.min() >= 0
        assert one.max() <= 255
        np.testing.assert_array_equal(one, again)


def test_loaders_get_bytes_wherever_nothing_is_erased():
    cfg = config(**{"INPUT.REA.ENABLED": True, "INPUT.REA.PROB": 0.5})
    whole, small = (build_transforms(cfg, dtype=dtype) for dtype in (np.float32, np.uint8))
    kinds = set()
    for seed in range(10):
        expected, got = (t(IMAGE, np.random.default_rng(seed)) for t in (whole, small))
        np.testing.assert_array_equal(got, expected)
        kinds.add((got.dtype, np.array_equal(got, got.astype(np.uint8))))
    assert kinds == {(np.dtype(np.uint8), True), (np.dtype(np.float32), False)}


def test_probabilities_come_from_the_config():
    cfg = config(**{"INPUT.AUTOAUG.ENABLED": True, "INPUT.AUTOAUG.PROB": 0.1})
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.INPUT.CJ.PROB = 0.7
    probabilities = [getattr(step, "prob", None) for step in build_transforms(cfg).transforms]
    assert probabilities == [0.1, None, 0.7, None]
