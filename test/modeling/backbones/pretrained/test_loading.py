"""Rules that a backbone registers for its ImageNet weights, and loading by them."""

import numpy as np
import pytest
import torch
from mindspore import nn

from fastreid.config import get_cfg
from fastreid.layers import BatchNorm, Conv2d, Linear
from fastreid.modeling.backbones.pretrained import (
    PretrainedRules,
    PublishedFile,
    find_pretrained,
    load_pretrained,
    register_pretrained,
)
from fastreid.utils.checkpoint.names import export_weights

DRIVE = "https://drive.example/uc?id=1"


class Small(nn.Cell):
    """A stem, and a layer that published files do not have."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv2d(3, 4, 3)
        self.bn1 = BatchNorm(4)
        self.extra = Linear(4, 4)


def renamed(weights, expected):
    """The file says stem for conv1, and stores its kernels flat; the model gives the shape."""
    new = {name.replace("stem.", "conv1."): value for name, value in weights.items()}
    shape = expected.get("conv1.weight", (4, 3, 3, 3))
    return {**new, "conv1.weight": new["conv1.weight"].reshape(shape)}


RULES = {
    "plain": PretrainedRules(
        files={"50x": PublishedFile("https://example.org/small-12345678.pyth")},
        classifiers=("head.fc.",),
        optional=(r"extra\.",),
    ),
    "renamed": PretrainedRules(
        files={"a_50x": PublishedFile(DRIVE, "small_imagenet.pth")},
        key=lambda backbone: f"a_{backbone.DEPTH}",
        convert=renamed,
        optional=(r"extra\.",),
    ),
}


@pytest.fixture(autouse=True)
def rules(monkeypatch):
    monkeypatch.setattr("fastreid.modeling.backbones.pretrained.rules._RULES", {})
    for name, rules in RULES.items():
        register_pretrained(name, rules)


def cfg_of(name, path="", *, pretrain=True):
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.NAME = name
    cfg.MODEL.BACKBONE.PRETRAIN = pretrain
    cfg.MODEL.BACKBONE.PRETRAIN_PATH = str(path)
    return cfg


@pytest.fixture
def weights():
    start = export_weights(Small())
    rng = np.random.RandomState(0)
    return {
        k: rng.rand(*v.shape).astype(np.float32)
        for k, v in start.items()
        if not k.startswith("extra")
    }


def as_torch(weights, prefix=""):
    return {f"{prefix}{name}": torch.tensor(value) for name, value in weights.items()}


def assert_loaded(model, weights):
    loaded = export_weights(model)
    for name, value in weights.items():
        np.testing.assert_array_equal(loaded[name], value, err_msg=name)


@pytest.mark.parametrize("key", ["", "model", "state_dict", "model_state"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_are_found_at_the_usual_keys_and_prefixes(tmp_path, weights, key, prefix):
    state = as_torch({**weights, "head.fc.weight": np.zeros((9, 4), np.float32)}, prefix)
    path = tmp_path / "small.pyth"
    state = {key: state, "epoch": 3, "optimizer_state": {"state": {}}} if key else state
    torch.save(state, path)
    model = Small()
    before = export_weights(model)["extra.weight"]
    load_pretrained(model, cfg_of("plain", path))
    assert_loaded(model, {**weights, "extra.weight": before})


def test_a_file_with_a_suffix_of_its_own_is_found_by_its_published_name(tmp_path, weights):
    path = tmp_path / "small-12345678.pyth"
    torch.save({"model_state": as_torch(weights)}, path)
    assert find_pretrained(cfg_of("plain", tmp_path)) == path
    model = Small()
    load_pretrained(model, cfg_of("plain", tmp_path))
    assert_loaded(model, weights)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_backbone_converts_names_and_shapes_of_its_files(tmp_path, weights, prefix):
    stored = dict(weights)
    stored["stem.weight"] = stored.pop("conv1.weight").reshape(4, -1)
    path = tmp_path / "small_imagenet.pth"
    torch.save(as_torch(stored, prefix), path)
    model = Small()
    load_pretrained(model, cfg_of("renamed", path))
    assert_loaded(model, weights)


def test_a_missing_file_names_the_page_and_the_name_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        find_pretrained(cfg_of("renamed", tmp_path))
    assert "small_imagenet.pth or small_imagenet.ckpt" in str(error.value)
    assert DRIVE in str(error.value)


def test_what_is_neither_optional_nor_a_classifier_must_fit(tmp_path, weights):
    path = tmp_path / "small.pth"
    del weights["bn1.bias"]
    torch.save(as_torch({**weights, "fc.weight": np.zeros((9, 4), np.float32)}), path)
    model = Small()
    before = export_weights(model)
    with pytest.raises(ValueError, match="do not fit MODEL.BACKBONE") as error:
        load_pretrained(model, cfg_of("plain", path))
    assert "1 missing: bn1.bias. 1 unexpected: fc.weight." in str(error.value)
    assert_loaded(model, before)


def test_an_optional_tensor_of_another_shape_is_refused(tmp_path, weights):
    path = tmp_path / "small.pth"
    torch.save(as_torch({**weights, "extra.weight": np.zeros((9, 4), np.float32)}), path)
    with pytest.raises(ValueError, match=r"extra.weight \(9, 4\), the model has \(4, 4\)"):
        load_pretrained(Small(), cfg_of("plain", path))


def test_a_backbone_without_rules_loads_a_given_file_only(tmp_path, weights):
    path = tmp_path / "small.pth"
    torch.save(as_torch({**weights, "extra.weight": np.ones((4, 4), np.float32)}), path)
    model = Small()
    load_pretrained(model, cfg_of("own", path))
    assert_loaded(model, weights)
    with pytest.raises(ValueError, match="for own with '50x' .* nor for others of its kind"):
        load_pretrained(model, cfg_of("own"))


def test_nothing_is_loaded_without_pretrain():
    load_pretrained(Small(), cfg_of("plain", "/nowhere", pretrain=False))
