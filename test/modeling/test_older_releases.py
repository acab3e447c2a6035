"""Files of weights as each release of fast-reid wrote them, loaded into a whole model."""

import logging

import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.engine import CLASSIFIER_PREFIXES
from fastreid.modeling import build_model
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.release_names import to_release_names
from fastreid.utils.checkpoint.weights_file import write_weights

CLASSES = 7


def small_model(**heads):
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "tiny", 512
    values = {"WITH_BNNECK": True, "EMBEDDING_DIM": 16, "NUM_CLASSES": CLASSES, **heads}
    for key, value in values.items():
        setattr(cfg.MODEL.HEADS, key, value)
    return build_model(cfg)


@pytest.fixture(scope="module")
def weights():
    model = small_model()
    start = export_weights(model)
    rng = np.random.RandomState(0)
    return {name: rng.rand(*value.shape).astype(np.float32) for name, value in start.items()}


def with_buffers(weights):
    counters = {
        f"{name.rpartition('.')[0]}.num_batches_tracked": np.array(9)
        for name in weights
        if name.endswith("running_mean")
    }
    pixels = {"pixel_mean": [0, 0, 0], "pixel_std": [1, 1, 1]}
    buffers = {k: np.float32(v).reshape(1, 3, 1, 1) for k, v in pixels.items()}
    return {**buffers, **weights, **counters}


def neck_renamed(weights):
    """As in the zoo: 1.0's names, and what renaming left over."""
    old = to_release_names(weights, "1.0")
    counter = old.pop("heads.bottleneck.1.num_batches_tracked")
    return {**old, "heads.bnneck.num_batches_tracked": counter}


LAYOUTS = {
    "0.1.1": lambda weights: to_release_names(with_buffers(weights), "0.1.1"),
    "the zoo": lambda weights: neck_renamed(with_buffers(weights)),
    "1.0": lambda weights: to_release_names(with_buffers(weights), "1.0"),
    "1.2 to today": dict,
    "of several devices": lambda weights: {
        f"module.{name}": value
        for name, value in to_release_names(with_buffers(weights), "0.1.1").items()
    },
    "without a classifier": lambda weights: {
        name: value
        for name, value in to_release_names(weights, "0.1.1").items()
        if "classifier" not in name
    },
}


@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_of_every_release_are_loaded(tmp_path, caplog, weights, layout, suffix):
    path = tmp_path / f"model{suffix}"
    old = LAYOUTS[layout](weights)
    write_weights(path, old)
    # Evaluation builds no classifier, or one of other classes.
    model = small_model(NUM_CLASSES=0 if suffix == ".pth" else CLASSES + 1)
    with caplog.at_level(logging.INFO):
        Checkpointer(model).load(path, ignore=CLASSIFIER_PREFIXES, weights_only=True)
    loaded = {k: v for k, v in export_weights(model).items() if k != "heads.weight"}
    assert loaded.keys() == weights.keys() - {"heads.weight"}
    for name, value in loaded.items():
        np.testing.assert_array_equal(value, weights[name])
    is_old = any("bnneck" in name or "classifier" in name for name in old)
    assert ("Names of an older fast-reid" in caplog.text) == is_old
    has_pixels = any("pixel_mean" in name for name in old)
    assert ("set MODEL.PIXEL_MEAN [0,0,0]" in caplog.text) == has_pixels


def test_weights_of_another_network_are_described_and_nothing_is_loaded(tmp_path, weights):
    path = tmp_path / "model.pth"
    write_weights(path, to_release_names(with_buffers(weights), "0.1.1"))
    model = small_model(EMBEDDING_DIM=0)
    before = export_weights(model)
    with pytest.raises(
        ValueError,
        match=rf"model\.pth does not fit the model Baseline\. It looks like a ResNet-tiny of "
        rf"fast-reid, with an embedding of 16, {CLASSES} classes; the config builds a ResNet-tiny "
        rf"of fast-reid, {CLASSES} classes: set MODEL\.HEADS\.EMBEDDING_DIM 16\.",
    ):
        Checkpointer(model).load(path, ignore=CLASSIFIER_PREFIXES, weights_only=True)
    for name, value in export_weights(model).items():
        np.testing.assert_array_equal(value, before[name])
