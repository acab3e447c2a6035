import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.data.pipeline.preparation import prepare_images
from fastreid.data.transforms import TRANSFORM_REGISTRY, build_transforms


@TRANSFORM_REGISTRY.register()
class Darken:
    """Multiplies the pixels by a random factor."""

    def __init__(self, cfg):
        self.least = 0.5 if cfg.SEED else 0.0

    def __call__(self, image, rng):
        factor = rng.uniform(self.least, 1)
        return Image.fromarray((np.asarray(image) * factor).astype(np.uint8))


@TRANSFORM_REGISTRY.register()
def build_gray(cfg):
    return lambda image, rng: image.convert("L")


@TRANSFORM_REGISTRY.register()
def build_array(cfg):
    return lambda image, rng: np.asarray(image)


@TRANSFORM_REGISTRY.register()
def build_nothing(cfg):
    return None


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [8, 4]
    cfg.DATALOADER.NUM_WORKERS = 0
    return cfg


IMAGE = Image.new("RGB", (8, 16), (200, 100, 50))


def test_a_registered_transform_is_applied_in_training(cfg):
    cfg.INPUT.TRANSFORMS_TRAIN = ["Darken"]
    transforms = build_transforms(cfg, is_train=True, dtype=np.uint8)
    got = transforms(IMAGE, np.random.default_rng(5))
    assert got.shape == (3, 8, 4)
    assert got[0, 0, 0] == int(200 * np.random.default_rng(5).uniform(0, 1))
    assert build_transforms(cfg, is_train=False)(IMAGE, None)[0, 0, 0] == 200


def test_a_registered_transform_is_applied_in_test(cfg):
    cfg.INPUT.TRANSFORMS_TEST = ["Darken", "Darken"]
    rng = np.random.default_rng(5)
    factors = rng.uniform(0, 1), rng.uniform(0, 1)
    got = build_transforms(cfg, is_train=False)(IMAGE, np.random.default_rng(5))
    assert got[0, 0, 0] == int(int(200 * factors[0]) * factors[1])
    assert build_transforms(cfg, is_train=True)(IMAGE, None)[0, 0, 0] == 200


def test_a_transform_is_sent_to_data_workers(cfg):
    cfg.INPUT.TRANSFORMS_TRAIN = ["Darken"]
    transforms = build_transforms(cfg, is_train=True)
    again = pickle.loads(pickle.dumps(transforms))
    results = [t(IMAGE, np.random.default_rng(1)) for t in (transforms, again)]
    np.testing.assert_array_equal(*results)


def test_a_transform_that_cannot_be_pickled_is_refused_with_workers(cfg):
    cfg.INPUT.TRANSFORMS_TRAIN = ["build_gray"]
    cfg.DATALOADER.NUM_WORKERS = 2
    with pytest.raises(ValueError, match="transform build_gray cannot be sent to data workers: .*"):
        build_transforms(cfg, is_train=True)


def test_a_transform_of_the_main_script_is_refused_with_workers(cfg, monkeypatch):
    monkeypatch.setattr(Darken, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Darken", Darken, raising=False)
    cfg.INPUT.TRANSFORMS_TRAIN = ["Darken"]
    assert build_transforms(cfg)
    cfg.DATALOADER.NUM_WORKERS = 1
    with pytest.raises(ValueError, match="Darken is defined in the main script, which"):
        build_transforms(cfg)


@pytest.mark.parametrize(
    ("name", "given"), [("build_gray", "an image of mode L"), ("build_array", "ndarray")]
)
def test_a_transform_that_returns_no_rgb_image_is_named(cfg, tmp_path, name, given):
    IMAGE.save(tmp_path / "a.png")
    cfg.INPUT.TRANSFORMS_TRAIN = [name]
    transforms = build_transforms(cfg, is_train=True)
    message = (
        rf"a.png cannot be augmented: .*{name} must return an RGB PIL image, but returned {given}"
    )
    with pytest.raises(ValueError, match=message):
        prepare_images(transforms, [(str(tmp_path / "a.png"), (1,))])


def test_an_entry_that_is_not_a_transform_is_refused(cfg):
    cfg.INPUT.TRANSFORMS_TRAIN = ["build_nothing"]
    with pytest.raises(
        ValueError, match=r"build_nothing must be callable as transform\(image, rng\)"
    ):
        build_transforms(cfg)
    cfg.INPUT.TRANSFORMS_TRAIN = ["Brighten"]
    with pytest.raises(KeyError, match="TRANSFORM registry has no 'Brighten'.*MODULES"):
        build_transforms(cfg)
