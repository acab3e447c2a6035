import logging

import numpy as np
import pytest

from fastreid.layers import SyncBatchNorm
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.mobilenet.layers import round_channels
from fastreid.modeling.backbones.pretrained import find_pretrained
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import (
    assert_has_the_tensors,
    assert_loads,
    backbone_cfg,
    random_weights,
    save_published,
)

TABLE = read_table("tensors_mobilenet.json")
V2 = "MODEL.BACKBONE.NAME build_mobilenetv2_backbone MODEL.BACKBONE.DEPTH"
V3 = "MODEL.BACKBONE.NAME build_mobilenetv3_backbone MODEL.BACKBONE.DEPTH"
SMALL = f"{V3} Small MODEL.BACKBONE.FEAT_DIM 1024"
NARROW = f"{V2} 0.1x MODEL.BACKBONE.FEAT_DIM 1280"


@pytest.mark.parametrize("words", TABLE)
def test_tensors_of_every_member_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


@pytest.mark.parametrize(
    ("exact", "divisor", "rounded"),
    [(32 * 0.35, 8, 16), (24 * 0.75, 8, 24), (1.6, 4, 4), (3.2, 8, 8), (20, 8, 24), (96, 8, 96)],
)
def test_widths_are_rounded_but_never_by_more_than_a_tenth(exact, divisor, rounded):
    assert round_channels(exact, divisor) == rounded


@pytest.mark.parametrize(
    ("words", "name", "fan_out"),
    [
        (NARROW, "conv.0.weight", 1280),
        (SMALL, "features.11.block.1.0.weight", 25 * 576),
        (SMALL, "features.11.block.2.fc1.weight", 144),
    ],
)
def test_start_values_follow_the_rules_of_the_original(words, name, fan_out):
    weights = export_weights(build_backbone(backbone_cfg(words)))
    assert weights[name].std() == pytest.approx(np.sqrt(2 / fan_out), rel=0.05)
    for bias, value in weights.items():
        if bias.endswith("bias"):
            assert (value == 0).all(), bias


def test_the_published_weights_of_version_2_load(tmp_path):
    cfg = backbone_cfg(NARROW)
    weights = random_weights(cfg)
    others = (("classifier.weight", (1000, 1280)), ("classifier.bias", (1000,)))
    path = save_published(tmp_path / "mobilenetv2_0.1-7d1d638a.pth", weights, *others)
    assert find_pretrained(backbone_cfg(NARROW, PRETRAIN_PATH=str(tmp_path))) == path
    assert_loads(cfg, path, weights)


def test_every_norm_of_version_2_is_the_configured_one():
    cfg = backbone_cfg(NARROW, NORM="syncBN")
    norms = [cell for _, cell in build_backbone(cfg).cells_and_names() if hasattr(cell, "gamma")]
    assert len(norms) == 52
    assert {type(norm) for norm in norms} == {SyncBatchNorm}


# torchvision's name -> ours. A convolution is followed by its norm.
TORCHVISION = {
    "features.0.0": "features.0.0",
    "features.0.1": "features.0.1",
    "features.1.conv.0.0": "features.1.conv.0",
    "features.1.conv.0.1": "features.1.conv.1",
    "features.1.conv.1": "features.1.conv.3",
    "features.1.conv.2": "features.1.conv.4",
    **{
        f"features.{block}.conv.{theirs}": f"features.{block}.conv.{ours}"
        for block in range(2, 18)
        for theirs, ours in (
            ("0.0", 0),
            ("0.1", 1),
            ("1.0", 3),
            ("1.1", 4),
            ("2", 6),
            ("3", 7),
        )
    },
    "features.18.0": "conv.0",
    "features.18.1": "conv.1",
}


def test_torchvisions_weights_of_version_2_load(tmp_path):
    cfg = backbone_cfg(NARROW)
    weights = random_weights(cfg)
    theirs = {ours: name for name, ours in TORCHVISION.items()}
    named = {}
    for name, value in weights.items():
        cell, _, leaf = name.rpartition(".")
        named[f"{theirs[cell]}.{leaf}"] = value
    others = (("classifier.1.weight", (1000, 1280)), ("classifier.1.bias", (1000,)))
    path = save_published(tmp_path / "mobilenet_v2-b0353104.pth", named, *others)
    assert_loads(cfg, path, weights)


def test_torchvisions_weights_of_version_3_load_and_the_last_layer_keeps_its_start(tmp_path):
    cfg = backbone_cfg(SMALL)
    weights = random_weights(cfg)
    published = {name: value for name, value in weights.items() if not name.startswith("conv.")}
    others = (
        ("classifier.0.weight", (1024, 576)),
        ("classifier.0.bias", (1024,)),
        ("classifier.3.weight", (1000, 1024)),
        ("classifier.3.bias", (1000,)),
    )
    path = save_published(tmp_path / "mobilenet_v3_small-047dcff4.pth", published, *others)
    assert find_pretrained(backbone_cfg(SMALL, PRETRAIN_PATH=str(tmp_path))) == path
    loaded = assert_loads(cfg, path, published)
    assert (loaded["conv.1.weight"] == 1).all()


def test_a_missing_tensor_of_version_3_is_named(tmp_path):
    cfg = backbone_cfg(SMALL)
    weights = random_weights(cfg)
    del weights["features.1.block.1.fc1.bias"]
    path = save_published(tmp_path / "small.pth", weights)
    cfg = backbone_cfg(SMALL, PRETRAIN=True, PRETRAIN_PATH=str(path))
    with pytest.raises(ValueError, match="1 missing: features.1.block.1.fc1.bias"):
        build_backbone(cfg)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{V2} 2.0x", r"DEPTH '2.0x' is not a width of MobileNetV2; .*'1.0x', '0.75x'"),
        (
            f"{V3} large",
            r"DEPTH 'large' is not a MobileNetV3; it must be one of \['Large', 'Small'\]",
        ),
        (f"{V3} Small", r"FEAT_DIM is 2048, but DEPTH 'Small' gives 1024 channels"),
    ],
)
def test_wrong_settings_name_the_right_ones(words, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(backbone_cfg(words))


@pytest.mark.parametrize("words", [NARROW, SMALL])
def test_options_that_mobilenets_do_not_have_are_logged(words, caplog):
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg(words, WITH_IBN=True))
    assert "has no such option: MODEL.BACKBONE WITH_IBN True" in caplog.text
