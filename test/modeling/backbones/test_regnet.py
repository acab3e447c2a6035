import logging

import mindspore as ms
import numpy as np
import pytest
import torch

from fastreid.layers import Conv2d
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.backbones.pretrained import find_pretrained
from fastreid.modeling.backbones.regnet.effnet_specs import effnet_spec
from fastreid.modeling.backbones.regnet.regnet_specs import regnet_stages
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import (
    assert_has_the_tensors,
    assert_loads,
    backbone_cfg,
    random_weights,
)

TABLE = {**read_table("tensors_regnet.json"), **read_table("tensors_effnet.json")}
REGNET = "MODEL.BACKBONE.NAME build_regnet_backbone MODEL.BACKBONE.DEPTH"
EFFNET = "MODEL.BACKBONE.NAME build_effnet_backbone MODEL.BACKBONE.DEPTH"
SMALL = f"{REGNET} 200y MODEL.BACKBONE.FEAT_DIM 368"
SMALL_EFFNET = f"{EFFNET} b0 MODEL.BACKBONE.FEAT_DIM 1280"
SMALLEST = {f"{REGNET} 200x", f"{REGNET} 200y", f"{EFFNET} b0"}


@pytest.mark.parametrize(
    "words",
    [words if words in SMALLEST else pytest.param(words, marks=pytest.mark.zoo) for words in TABLE],
)
def test_tensors_of_every_depth_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_all_depths_are_in_the_tables():
    assert len(TABLE) == 14 + 6


def test_stages_of_the_paper_are_generated():
    stages = regnet_stages("800x", last_stride=1)
    assert [stage.channels for stage in stages] == [64, 128, 288, 672]
    assert [stage.blocks for stage in stages] == [1, 3, 7, 5]
    assert [stage.stride for stage in stages] == [2, 2, 2, 1]
    assert [stage.groups for stage in stages] == [4, 8, 18, 42]
    # Of the design's 2.25 * 88, a multiple of the group's width.
    assert [stage.channels for stage in regnet_stages("3200x", last_stride=1)] == [
        *(96, 192, 432, 1008)
    ]


def test_the_last_stride_is_that_of_the_sixth_stage_of_an_efficientnet():
    for last_stride in (1, 2):
        strides = [stage.stride for stage in effnet_spec("b0", last_stride=last_stride).stages]
        assert strides == [1, 2, 2, 2, 1, last_stride, 1]


def test_start_values_follow_the_rules_of_the_original():
    for words, cases in (
        (SMALL, {"s4.b7.f.a.weight": 368, "s4.b7.f.b.weight": 9 * 368}),
        (SMALL_EFFNET, {"s6.b4.dwise.weight": 25 * 1152, "head.conv.weight": 1280}),
    ):
        weights = export_weights(build_backbone(backbone_cfg(words)))
        for name, fan_out in cases.items():
            assert weights[name].std() == pytest.approx(np.sqrt(2 / fan_out), rel=0.1), name
        for name, value in weights.items():
            if name.endswith("_bn.bias"):
                assert (value == 0).all(), name
            if name.endswith("_bn.weight"):
                assert (value == 1).all(), name
    # torch's rule: uniform up to 1 / sqrt(inputs).
    bias = weights["s6.b4.se.f_ex.0.bias"]
    assert 0 < np.abs(bias).max() <= 1 / np.sqrt(1152)


@pytest.mark.parametrize(
    ("words", "classifier"), [(SMALL, (1000, 368)), (SMALL_EFFNET, (1000, 1280))]
)
def test_imagenet_weights_of_pycls_load_without_their_classifier(tmp_path, words, classifier):
    cfg = backbone_cfg(words)
    weights = random_weights(cfg)
    state = {name: torch.tensor(value) for name, value in weights.items()}
    state["stem.bn.num_batches_tracked"] = torch.tensor(7)
    state["head.fc.weight"] = torch.zeros(classifier)
    state["head.fc.bias"] = torch.zeros(classifier[0])
    buffers = {0: {"momentum_buffer": torch.zeros(32, 3, 3, 3)}}
    path = tmp_path / "model.pyth"
    torch.save(
        {
            "epoch": 99,
            "model_state": state,
            "optimizer_state": {"state": buffers, "param_groups": [{"lr": 0.1, "params": [0]}]},
            "cfg": "MODEL:\n  TYPE: regnet\n",
        },
        path,
    )
    assert_loads(cfg, path, weights)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (f"{REGNET} 800x", "RegNetX-800MF_dds_8gpu.pyth"),
        (f"{REGNET} 6400y", "RegNetY-6.4GF_dds_8gpu.pyth"),
        (f"{EFFNET} b3", "EN-B3_dds_8gpu.pyth"),
    ],
)
def test_published_files_have_the_names_that_pycls_gives_them(tmp_path, words, name):
    (tmp_path / name).touch()
    cfg = backbone_cfg(words, PRETRAIN_PATH=str(tmp_path))
    assert find_pretrained(cfg) == tmp_path / name


def test_weights_of_regnetx_are_refused_by_regnety(tmp_path):
    weights = random_weights(backbone_cfg(f"{REGNET} 200x", FEAT_DIM=368))
    path = tmp_path / "x.pyth"
    torch.save({"model_state": {k: torch.tensor(v) for k, v in weights.items()}}, path)
    with pytest.raises(ValueError, match=r"looks like a RegNet.*missing: s1\.b1\.f\.se\.f_ex"):
        build_backbone(backbone_cfg(SMALL, PRETRAIN=True, PRETRAIN_PATH=str(path)))


def test_wrong_settings_name_the_right_ones():
    with pytest.raises(ValueError, match=r"DEPTH '50x' is not a RegNet; .*'200x', '400x'"):
        build_backbone(backbone_cfg(f"{REGNET} 50x"))
    with pytest.raises(ValueError, match=r"DEPTH 'b7' is not an EfficientNet; .*'b0', 'b1'"):
        build_backbone(backbone_cfg(f"{EFFNET} b7"))
    with pytest.raises(ValueError, match=r"FEAT_DIM is 2048, but DEPTH '200x' gives 368"):
        build_backbone(backbone_cfg(f"{REGNET} 200x"))


def test_a_regnetx_built_after_a_regnety_has_no_squeeze_and_excitation():
    build_backbone(backbone_cfg(SMALL))
    names = export_weights(build_backbone(backbone_cfg(f"{REGNET} 200x", FEAT_DIM=368)))
    assert not any(".se." in name for name in names)


def test_options_that_they_do_not_have_are_logged(caplog):
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg(SMALL, WITH_IBN=True, LAST_STRIDE=2))
    assert "MODEL.BACKBONE WITH_IBN True" in caplog.text
    assert "LAST_STRIDE" not in caplog.text


@pytest.mark.parametrize(("words", "channels"), [(SMALL, 368), (SMALL_EFFNET, 1280)])
def test_features_are_a_sixteenth_of_the_image_in_half_precision_too(words, channels):
    ms.set_context(mode=ms.PYNATIVE_MODE)
    backbone = build_backbone(backbone_cfg(words))
    images = ms.Tensor(np.random.RandomState(0).rand(2, 3, 67, 33).astype(np.float32))
    whole = backbone.set_train()(images).asnumpy()
    for _, cell in backbone.cells_and_names():
        if isinstance(cell, Conv2d):
            cell.train_in_half_precision()
    half = backbone(images).asnumpy()
    ms.set_context(mode=ms.GRAPH_MODE)
    assert whole.shape == (2, channels, 5, 3)
    assert np.abs(half - whole).mean() < 0.05 * np.abs(whole).mean()
