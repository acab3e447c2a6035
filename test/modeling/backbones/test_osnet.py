import logging

import mindspore as ms
import numpy as np
import pytest

from fastreid.modeling.backbones import build_backbone
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

TABLE = read_table("tensors_osnet.json")
NAME = "MODEL.BACKBONE.NAME build_osnet_backbone MODEL.BACKBONE.DEPTH"
SMALL = f"{NAME} x0_25 MODEL.BACKBONE.FEAT_DIM 128"
IBN = f"{SMALL} MODEL.BACKBONE.WITH_IBN True"
# What torchreid's models have beside the backbone: a layer with its norm, and the classifier.
TORCHREID = (
    ("fc.0.weight", (512, 128)),
    ("fc.0.bias", (512,)),
    ("fc.1.weight", (512,)),
    ("fc.1.bias", (512,)),
    ("fc.1.running_mean", (512,)),
    ("fc.1.running_var", (512,)),
    ("fc.1.num_batches_tracked", ()),
)


def classifier(classes):
    return (("classifier.weight", (classes, 512)), ("classifier.bias", (classes,)))


@pytest.mark.parametrize("words", TABLE)
def test_tensors_of_every_width_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_names_are_those_of_torchreid():
    names = export_weights(build_backbone(backbone_cfg(IBN)))
    for name in (
        "conv1.bn.weight",
        "conv2.0.conv2a.conv1.weight",
        "conv2.1.conv2d.3.conv2.weight",
        "conv2.0.gate.fc1.bias",
        "conv2.0.IN.weight",
        "conv3.2.0.bn.running_var",
        "conv5.conv.weight",
    ):
        assert name in names
    # Instance norm has no running statistics.
    assert "conv1.bn.running_mean" not in names
    assert not any(name.startswith("conv3") and ".IN." in name for name in names)


def test_start_values_follow_the_rules_of_the_original():
    weights = export_weights(build_backbone(backbone_cfg(f"{NAME} x1_0", FEAT_DIM=512)))
    for name, fan_out in (
        ("conv1.conv.weight", 49 * 64),
        ("conv4.0.conv2a.conv1.weight", 128),
        ("conv4.0.conv2d.0.conv2.weight", 9 * 128),
        ("conv4.1.gate.fc2.weight", 128),
    ):
        assert weights[name].std() == pytest.approx(np.sqrt(2 / fan_out), rel=0.1), name
    for name, value in weights.items():
        if name.endswith("bias"):
            assert (value == 0).all(), name


@pytest.mark.parametrize("prefix", ["", "module."])
def test_torchreids_imagenet_weights_load_without_their_classifier(tmp_path, prefix):
    cfg = backbone_cfg(IBN)
    weights = random_weights(cfg)
    others = (*TORCHREID, *classifier(1000))
    path = save_published(tmp_path / "osnet.pth", weights, *others, prefix=prefix)
    assert_loads(cfg, path, weights)


def test_the_backbone_of_torchreids_reid_models_loads(tmp_path):
    cfg = backbone_cfg(SMALL)
    weights = random_weights(cfg)
    path = save_published(tmp_path / "osnet_market.pth", weights, *TORCHREID, *classifier(751))
    assert_loads(cfg, path, weights)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (f"{NAME} x0_75", "osnet_x0_75_imagenet.pth"),
        (f"{NAME} x1_0 MODEL.BACKBONE.WITH_IBN True", "osnet_ibn_x1_0_imagenet.pth"),
    ],
)
def test_published_files_have_the_names_that_torchreid_gives_them(tmp_path, words, name):
    (tmp_path / name).touch()
    cfg = backbone_cfg(words, PRETRAIN_PATH=str(tmp_path))
    assert find_pretrained(cfg) == tmp_path / name


def test_no_weights_are_published_for_narrow_networks_with_instance_norm(tmp_path):
    with pytest.raises(ValueError, match="for build_osnet_backbone with 'osnet_ibn_x0_25'"):
        find_pretrained(backbone_cfg(IBN, PRETRAIN_PATH=str(tmp_path)))


def test_weights_of_another_width_are_refused(tmp_path):
    cfg = backbone_cfg(IBN)
    path = save_published(tmp_path / "osnet.pth", random_weights(cfg))
    cfg = backbone_cfg(SMALL, PRETRAIN=True, PRETRAIN_PATH=str(path))
    with pytest.raises(ValueError, match="looks like an OSNet.*2 missing: conv1.bn.running_mean"):
        build_backbone(cfg)


def test_wrong_settings_name_the_right_ones():
    with pytest.raises(ValueError, match=r"DEPTH '50x' is not a width of OSNet; .*'x1_0', 'x0_75'"):
        build_backbone(backbone_cfg(f"{NAME} 50x"))
    with pytest.raises(ValueError, match=r"FEAT_DIM is 2048, but DEPTH 'x0_25' gives 128"):
        build_backbone(backbone_cfg(f"{NAME} x0_25"))


def test_options_that_osnet_does_not_have_are_logged(caplog):
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg(SMALL, WITH_NL=True, LAST_STRIDE=2))
    assert "LAST_STRIDE 2, WITH_NL True" in caplog.text
    assert "WITH_SE" not in caplog.text


def test_features_are_a_sixteenth_of_the_image():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    backbone = build_backbone(backbone_cfg(SMALL)).set_train(False)
    images = ms.Tensor(np.zeros((1, 3, 67, 33), np.float32))
    shape = backbone(images).shape
    ms.set_context(mode=ms.GRAPH_MODE)
    assert shape == (1, 128, 4, 2)
