import logging

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from fastreid.layers import BatchNorm
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.pretrained import find_pretrained
from fastreid.modeling.backbones.shufflenet.blocks import BasicUnit, DownsamplingUnit
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import (
    assert_has_the_tensors,
    assert_loads,
    assert_recomputes,
    assert_trains_in_half_precision,
    backbone_cfg,
    random_weights,
    save_published,
)

TABLE = read_table("tensors_shufflenet.json")
NAME = "MODEL.BACKBONE.NAME build_shufflenetv2_backbone MODEL.BACKBONE.DEPTH"
NARROW = f"{NAME} 0.5x MODEL.BACKBONE.FEAT_DIM 1024"


@pytest.mark.parametrize("words", TABLE)
def test_tensors_of_every_member_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_start_values_follow_the_rules_of_the_original():
    weights = export_weights(build_backbone(backbone_cfg(NARROW)))
    stds = {
        "first_conv.0.weight": 0.01,
        "features.12.branch_main.3.weight": 1.0,
        "features.12.branch_proj.0.weight": 1.0,
        "features.12.branch_main.0.weight": 1 / 96,
        "features.15.branch_main.5.weight": 1 / 96,
        "conv_last.0.weight": 1 / 192,
    }
    for name, std in stds.items():
        assert weights[name].std() == pytest.approx(std, rel=0.1), name
    shifts = [value for name, value in weights.items() if name.endswith("bias")]
    assert len(shifts) == 56
    assert all((shift == np.float32(1e-4)).all() for shift in shifts)


def test_other_norms_start_without_a_shift():
    weights = export_weights(build_backbone(backbone_cfg(NARROW, NORM="syncBN")))
    assert all((value == 0).all() for name, value in weights.items() if name.endswith("bias"))


def test_the_published_weights_load(tmp_path):
    cfg = backbone_cfg(NARROW)
    weights = random_weights(cfg)
    classifier = ("module.classifier.0.weight", (1000, 1024))
    name = "ShuffleNetV2.0.5x.pth.tar"
    path = save_published(tmp_path / name, weights, classifier, prefix="module.")
    assert find_pretrained(backbone_cfg(NARROW, PRETRAIN_PATH=str(tmp_path))) == path
    assert_loads(cfg, path, weights)


def test_weights_of_another_width_are_refused(tmp_path):
    path = save_published(tmp_path / "half.pth", random_weights(backbone_cfg(NARROW)))
    cfg = backbone_cfg(f"{NAME} 1.0x MODEL.BACKBONE.FEAT_DIM 1024")
    cfg.MODEL.BACKBONE.PRETRAIN = True
    cfg.MODEL.BACKBONE.PRETRAIN_PATH = str(path)
    with pytest.raises(ValueError, match=r"looks like a ShuffleNetV2.*of another shape: conv_last"):
        build_backbone(cfg)


def test_torchvisions_weights_are_refused_as_another_network(tmp_path):
    names = ("conv1.0.weight", "stage2.0.branch1.0.weight", "stage2.0.branch2.0.weight")
    weights = {name: np.zeros((24, 3, 3, 3), np.float32) for name in names}
    path = save_published(tmp_path / "shufflenetv2_x0.5-f707e7126e.pth", weights)
    cfg = backbone_cfg(NARROW, PRETRAIN=True, PRETRAIN_PATH=str(path))
    message = "This toolbox does not build a ShuffleNetV2 of torchvision"
    with pytest.raises(ValueError, match=message):
        build_backbone(cfg)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{NAME} 3.0x", r"DEPTH '3.0x' is not a width of ShuffleNetV2; .*'0.5x', '1.0x'"),
        (f"{NAME} 2.0x MODEL.BACKBONE.FEAT_DIM 1024", "FEAT_DIM is 1024, but .* gives 2048"),
        (f"{NARROW} MODEL.BACKBONE.NORM GN", "NORM 'GN' has 32 groups, which do not divide 24"),
    ],
)
def test_wrong_settings_name_the_right_ones(words, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(backbone_cfg(words))


def test_options_that_shufflenet_does_not_have_are_logged(caplog):
    options = {"LAST_STRIDE": 2, "WITH_IBN": True, "WITH_SE": True, "WITH_NL": True}
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg(NARROW, **options))
    named = "LAST_STRIDE 2, WITH_IBN True, WITH_SE True, WITH_NL True"
    assert f"has no such option: MODEL.BACKBONE {named}" in caplog.text


def two_units():
    return nn.SequentialCell(DownsamplingUnit(8, 20, norm=BatchNorm), BasicUnit(20, norm=BatchNorm))


def test_recomputed_units_change_no_number():
    assert_recomputes(two_units(), channels=8)


def test_units_train_in_half_precision():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        assert_trains_in_half_precision(two_units(), channels=8)
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
