import logging

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from fastreid.modeling.backbones import build_backbone
from test.alignment.tensor_table import read_table
from test.modeling.backbones.families import (
    assert_has_the_tensors,
    assert_loads,
    backbone_cfg,
    random_weights,
    save_published,
)

TABLE = read_table("tensors_resnet_distill.json")
NAME = "MODEL.BACKBONE.NAME build_resnet_backbone_distill"
TINY = {"DEPTH": "tiny", "FEAT_DIM": 512, "WITH_IBN": True, "WITH_SE": True}
SMALL = ("18x", "34x")


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(w, marks=[] if any(f"DEPTH {d}" in w for d in SMALL) else [pytest.mark.zoo])
        for w in TABLE
    ],
)
def test_tensors_of_every_depth_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def randomized(backbone):
    rng = np.random.RandomState(0)
    for each in backbone.get_parameters():
        value = rng.randn(*each.shape) * 0.3
        if each.name.endswith(("gamma", "moving_variance")):
            value = 1 + np.abs(value)
        ops.assign(each, Tensor(value.astype(np.float32)))
    return backbone.set_train(False)


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("options", [TINY, {**TINY, "LAST_STRIDE": 2}, {"DEPTH": "18x"}], ids=str)
def test_features_and_stages_are_those_of_the_plain_resnet(options):
    options = {"FEAT_DIM": 512, "LAST_STRIDE": 1, **options}
    backbone = randomized(build_backbone(backbone_cfg(NAME, **options)))
    plain = randomized(
        build_backbone(backbone_cfg("MODEL.BACKBONE.NAME build_resnet_backbone", **options))
    )
    images = Tensor(np.random.RandomState(1).randn(2, 3, 50, 34).astype(np.float32))
    features = plain(images).asnumpy()
    np.testing.assert_array_equal(backbone(images).asnumpy(), features)
    maps = backbone.stage_maps(images)
    x = ops.relu(plain.maxpool(plain.bn1(plain.conv1(images))))
    for number, (stage, stage_map) in enumerate(zip(plain.stages, maps)):
        x = stage(x)
        np.testing.assert_array_equal(ops.relu(stage_map).asnumpy(), x.asnumpy())
        assert (stage_map.asnumpy() < 0).any()
        assert stage_map.shape[1] == backbone.stage_channels[number]


def test_the_last_norm_of_each_stage_precedes_the_sum():
    for options, leaf in ((TINY, "bn3"), ({"DEPTH": "18x", "FEAT_DIM": 512}, "bn2")):
        backbone = build_backbone(backbone_cfg(NAME, **options))
        names = {id(cell): name for name, cell in backbone.cells_and_names()}
        found = [names[id(norm)] for norm in backbone.stage_norms()]
        assert found == [f"stages.{number}.blocks.1.{leaf}" for number in range(4)]


def test_imagenet_weights_load(tmp_path):
    cfg = backbone_cfg(NAME, DEPTH="18x", FEAT_DIM=512)
    weights = random_weights(cfg)
    others = (("fc.weight", (1000, 512)), ("fc.bias", (1000,)))
    assert_loads(cfg, save_published(tmp_path / "resnet18.pth", weights, *others), weights)


def test_non_local_blocks_are_logged_as_ignored(caplog):
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg(NAME, WITH_NL=True, **TINY))
    assert "build_resnet_backbone_distill has no such option: MODEL.BACKBONE WITH_NL" in caplog.text


def test_a_wrong_width_names_the_right_one():
    with pytest.raises(ValueError, match="FEAT_DIM is 2048, .* set it to 512"):
        build_backbone(backbone_cfg(NAME, DEPTH="34x"))
