import logging

import numpy as np
import pytest
import torch

from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.pretrained import find_pretrained, load_pretrained
from fastreid.modeling.backbones.resnet_specs import StageSpec
from fastreid.modeling.backbones.resnext import ResNeXt, resnext_stages
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import assert_has_the_tensors, backbone_cfg, save_published

TABLE = read_table("tensors_resnext.json")
NAME = "MODEL.BACKBONE.NAME build_resnext_backbone"
SMALL = tuple(StageSpec(16, 1, stride, extra) for stride, extra in ((1, 0), (2, 1), (2, 1), (1, 0)))
PLAIN = tuple(stage._replace(non_local=0) for stage in SMALL)


@pytest.mark.parametrize(
    "words", [pytest.param(w, marks=[pytest.mark.zoo] if "101x" in w else []) for w in TABLE]
)
def test_tensors_of_every_depth_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_the_deepest_network_has_the_stages_that_the_original_lists():
    stages = resnext_stages("152x", last_stride=1, with_nl=True)
    assert [stage.blocks for stage in stages] == [3, 8, 36, 3]
    assert [stage.non_local for stage in stages] == [0, 2, 3, 0]


def test_every_stage_has_instance_norm():
    names = export_weights(ResNeXt(SMALL, with_ibn=True))
    assert all(f"layer{number}.0.bn1.IN.weight" in names for number in (1, 2, 3, 4))


def test_grouped_convolutions_start_as_in_the_original():
    weight = export_weights(ResNeXt((StageSpec(64, 1, 1, 0),)))["layer1.0.conv2.weight"]
    assert weight.shape == (128, 4, 3, 3)
    assert weight.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.05)


def random_weights(model):
    rng = np.random.RandomState(0)
    shapes = {name: value.shape for name, value in export_weights(model).items()}
    return {name: rng.rand(*shape).astype(np.float32) for name, shape in shapes.items()}


def loaded(path, **options):
    model = ResNeXt(SMALL, **options)
    load_pretrained(model, backbone_cfg(NAME, PRETRAIN=True, PRETRAIN_PATH=str(path)))
    return export_weights(model)


def test_torchvisions_weights_load_without_their_classifier(tmp_path):
    weights = random_weights(ResNeXt(PLAIN))
    others = (("fc.weight", (1000, 64)), ("fc.bias", (1000,)))
    got = loaded(save_published(tmp_path / "resnext50_32x4d.pth", weights, *others))
    for name, value in weights.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert (got["NL_2.0.W.1.weight"] == 0).all()


def test_ibn_nets_weights_load_except_the_first_norms_of_the_last_stage(tmp_path):
    weights = random_weights(ResNeXt(PLAIN, with_ibn=True))
    kept = {name: v for name, v in weights.items() if not name.startswith("layer4.0.bn1.")}
    leaves = ("weight", "bias", "running_mean", "running_var")
    others = [(f"layer4.0.bn1.{leaf}", (32,)) for leaf in leaves]
    got = loaded(save_published(tmp_path / "resnext_ibn.pth", kept, *others), with_ibn=True)
    for name, value in kept.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert (got["layer4.0.bn1.IN.weight"] == 1).all()
    assert (got["layer4.0.bn1.BN.running_mean"] == 0).all()


@pytest.mark.parametrize("prefix", ["module.encoder_q.", "module.encoder."])
def test_the_encoder_of_moco_loads(tmp_path, prefix):
    weights = random_weights(ResNeXt(SMALL, with_ibn=True))
    state = {f"{prefix}{name}": torch.tensor(value) for name, value in weights.items()}
    torch.save({"model": state}, tmp_path / "moco.pth")
    got = loaded(tmp_path / "moco.pth", with_ibn=True)
    for name, value in weights.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_one_file_is_published(tmp_path):
    (tmp_path / "resnext101_ibn_a-6ace051d.pth").touch()
    cfg = backbone_cfg(NAME, DEPTH="101x", WITH_IBN=True, PRETRAIN_PATH=str(tmp_path))
    assert find_pretrained(cfg) == tmp_path / "resnext101_ibn_a-6ace051d.pth"
    with pytest.raises(ValueError, match=r"with '50x' .*, only for \['ibn_101x'\]"):
        find_pretrained(backbone_cfg(NAME, PRETRAIN_PATH=str(tmp_path)))


def test_wrong_settings_name_the_right_ones():
    with pytest.raises(ValueError, match=r"DEPTH '18x' is not a ResNeXt; .*'50x', '101x', '152x'"):
        build_backbone(backbone_cfg(NAME, DEPTH="18x"))


def test_squeeze_and_excitation_is_logged_as_ignored(caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="set it to 2048"):
        build_backbone(backbone_cfg(NAME, WITH_SE=True, FEAT_DIM=512))
    assert "WITH_SE True" in caplog.text


@pytest.mark.zoo
def test_the_deepest_network_builds():
    model = ResNeXt(resnext_stages("152x", last_stride=1))
    names = export_weights(model)
    assert "layer3.35.conv3.weight" in names
    assert "layer3.36.conv3.weight" not in names
    assert model.out_channels == 2048
