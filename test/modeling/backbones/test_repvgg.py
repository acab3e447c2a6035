import logging

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from fastreid.layers import BatchNorm, get_norm
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone, fuse_repvgg
from fastreid.modeling.backbones.pretrained import find_pretrained
from fastreid.modeling.backbones.repvgg import RepVGG
from fastreid.modeling.backbones.repvgg.blocks import RepVGGBlock
from fastreid.modeling.backbones.repvgg.specs import (
    DESIGNS,
    BlockSpec,
    Design,
    repvgg_stages,
)
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights import load_weights
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

TABLE = read_table("tensors_repvgg.json")
NAME = "MODEL.BACKBONE.NAME build_repvgg_backbone MODEL.BACKBONE.DEPTH"
A0 = f"{NAME} A0 MODEL.BACKBONE.FEAT_DIM 1280"
B0 = f"{NAME} B0 MODEL.BACKBONE.FEAT_DIM 1280"
SMALL = ("A0", "A1", "B0", "B1g4")


def zoo_if_large(words):
    small = words.rpartition(" ")[2] in SMALL
    return pytest.param(words, marks=() if small else pytest.mark.zoo)


@pytest.mark.parametrize("words", map(zoo_if_large, TABLE))
def test_tensors_of_every_member_are_the_originals(words):
    assert_has_the_tensors(words, TABLE[words])


def test_tables_of_tensors_are_of_all_depths():
    assert {words.rpartition(" ")[2] for words in TABLE} == set(DESIGNS)


def small_stages(groups, *, last_stride=1):
    """All kinds of blocks of the larger networks, a sixteenth as wide."""
    factors = (1 / 4, 1 / 8, 1 / 16, 1 / 16)
    return repvgg_stages(Design((3, 2, 3, 1), factors, groups), last_stride=last_stride)


def with_random_weights(model, seed):
    """Random weights and statistics that keep maps near unit size."""
    rng = np.random.RandomState(seed)
    weights = {}
    for name, value in export_weights(model).items():
        noise = rng.randn(*value.shape)
        if name.endswith("running_var"):
            noise = 0.5 + noise**2
        elif value.ndim > 1:
            noise *= np.sqrt(2 / value[0].size)
        elif name.endswith("weight"):
            noise = 1 + 0.3 * noise
        else:
            noise *= 0.3
        weights[name] = noise.astype(np.float32)
    load_weights(model, weights)
    return model


def assert_same_features(fused, model, size):
    images = Tensor(np.random.RandomState(3).randn(2, 3, *size).astype(np.float32))
    want = model.set_train(False)(images).asnumpy()
    got = fused.set_train(False)(images).asnumpy()
    assert want.std() > 0
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


@pytest.fixture(params=["graph", "pynative"])
def mode(request):
    ms.set_context(mode=getattr(ms, f"{request.param.upper()}_MODE"))
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize(("groups", "last_stride"), [(1, 1), (2, 2), (4, 1)])
def test_a_fused_network_computes_the_same_features(groups, last_stride, mode):
    stages = small_stages(groups, last_stride=last_stride)
    model = with_random_weights(RepVGG(stages), seed=groups)
    fused = RepVGG(stages, fused=True)
    load_weights(fused, fuse_repvgg(export_weights(model)))
    assert_same_features(fused, model, size=(47, 38))


@pytest.mark.parametrize("norm", ["syncBN", "FrozenBN"])
def test_networks_with_other_batch_norms_are_fused(norm):
    stages = small_stages(2)
    model = with_random_weights(RepVGG(stages, norm=lambda c: get_norm(norm, c)), seed=5)
    fused = RepVGG(stages, fused=True)
    load_weights(fused, fuse_repvgg(export_weights(model)))
    assert_same_features(fused, model, size=(32, 32))


@pytest.mark.parametrize(
    "depth", ["A0", *(pytest.param(d, marks=pytest.mark.zoo) for d in DESIGNS)]
)
def test_a_whole_model_is_fused_by_its_config(depth):
    words = f"{NAME} {depth} MODEL.BACKBONE.FEAT_DIM {TABLE[f'{NAME} {depth}']['feat_dim']}"
    cfg = backbone_cfg(f"{words} MODEL.HEADS.NUM_CLASSES 4")
    model = with_random_weights(build_model(cfg), seed=1)
    cfg.MODEL.BACKBONE.DEPLOY = True
    fused = build_model(cfg)
    load_weights(fused, fuse_repvgg(export_weights(model)))
    assert_same_features(fused, model, size=(64, 32))


def test_a_fused_network_has_two_tensors_a_block():
    names = set(export_weights(build_backbone(backbone_cfg(A0, DEPLOY=True))))
    blocks = ["stage0"]
    blocks += [f"stage{s}.{b}" for s, n in enumerate((2, 4, 14, 1), 1) for b in range(n)]
    assert names == {f"{block}.fused_{leaf}" for block in blocks for leaf in ("weight", "bias")}


def test_every_second_block_has_groups():
    blocks = [spec for stage in repvgg_stages(DESIGNS["B1g4"], last_stride=1) for spec in stage]
    assert [spec.groups for spec in blocks] == [1, *[1, 4] * 13, 1]


def test_the_last_stride_is_that_of_the_config(pynative):
    images = Tensor(np.zeros((1, 3, 64, 32), np.float32))
    for stride, size in ((1, (4, 2)), (2, (2, 1))):
        features = build_backbone(backbone_cfg(A0, LAST_STRIDE=stride))(images)
        assert features.shape == (1, 1280, *size)


def test_start_values_follow_the_rules_of_the_original():
    weights = export_weights(build_backbone(backbone_cfg(B0)))
    fan_ins = {
        "stage0.rbr_dense.conv.weight": 27,
        "stage1.1.rbr_dense.conv.weight": 9 * 64,
        "stage3.0.rbr_1x1.conv.weight": 128,
    }
    for name, fan_in in fan_ins.items():
        bound = 1 / np.sqrt(fan_in)
        assert np.abs(weights[name]).max() == pytest.approx(bound, rel=0.02)
        assert weights[name].std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
    assert all((value == 0).all() for name, value in weights.items() if name.endswith("bias"))


def broken(weights, name):
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: broken(w, "stage2.1.rbr_1x1.bn.running_var"), "no stage2.1.rbr_1x1.bn.running_"),
        (lambda w: broken(w, "stage2.1.rbr_dense.conv.weight"), "no stage2.1.rbr_dense.conv.weig"),
        (lambda w: broken(w, "stage1.1.rbr_identity.bias"), "no stage1.1.rbr_identity.bias"),
        (fuse_repvgg, "fused already"),
        (lambda w: {"layer1.0.conv1.weight": w["stage0.rbr_1x1.conv.weight"]}, "layer1.0.conv1"),
        (lambda w: {}, "no block of a RepVGG"),
    ],
)
def test_weights_that_cannot_be_fused_are_refused(change, message):
    weights = export_weights(RepVGG(small_stages(1)))
    with pytest.raises(ValueError, match=message):
        fuse_repvgg(change(weights))


def test_networks_with_group_norms_cannot_be_fused():
    stages = repvgg_stages(Design((1, 1, 1, 1), (1, 1, 1, 1)), last_stride=1)
    model = RepVGG(stages, norm=lambda channels: get_norm("GN", channels))
    with pytest.raises(ValueError, match="no stage0.rbr_dense.bn.running_mean.*NORM BN or"):
        fuse_repvgg(export_weights(model))


def test_fusing_leaves_other_tensors_and_the_argument_alone():
    weights = {f"backbone.{k}": v for k, v in export_weights(RepVGG(small_stages(2))).items()}
    weights["heads.weight"] = np.ones((4, 32), np.float32)
    before = {name: value.copy() for name, value in weights.items()}
    fused = fuse_repvgg(weights)
    np.testing.assert_array_equal(fused["heads.weight"], weights["heads.weight"])
    assert all(name.startswith("backbone.stage") for name in fused if name != "heads.weight")
    for name, value in before.items():
        np.testing.assert_array_equal(weights[name], value)


LINEAR = (("linear.weight", (1000, 1280)), ("linear.bias", (1000,)))


def test_the_published_weights_load(tmp_path):
    cfg = backbone_cfg(A0)
    weights = random_weights(cfg)
    path = save_published(tmp_path / "RepVGG-A0-train.pth", weights, *LINEAR)
    assert find_pretrained(backbone_cfg(A0, PRETRAIN_PATH=str(tmp_path))) == path
    assert_loads(cfg, path, weights)


def test_the_published_weights_are_fused_for_a_fused_network(tmp_path):
    weights = random_weights(backbone_cfg(A0))
    path = save_published(tmp_path / "RepVGG-A0-train.pth", weights, *LINEAR, prefix="module.")
    assert_loads(backbone_cfg(A0, DEPLOY=True), path, fuse_repvgg(weights))


def test_weights_that_the_author_fused_load(tmp_path):
    weights = random_weights(backbone_cfg(A0, DEPLOY=True))
    theirs = {name.replace(".fused_", ".rbr_reparam."): value for name, value in weights.items()}
    path = save_published(tmp_path / "RepVGG-A0-deploy.pth", theirs, *LINEAR)
    assert_loads(backbone_cfg(A0, DEPLOY=True), path, weights)


@pytest.mark.parametrize("depth", ["B2g2", "B3g2"])
def test_depths_without_published_weights_need_a_path(depth):
    cfg = backbone_cfg(f"{NAME} {depth} MODEL.BACKBONE.FEAT_DIM 2560", PRETRAIN=True)
    with pytest.raises(ValueError, match=f"No ImageNet weights are published .* '{depth}'"):
        find_pretrained(cfg)


@pytest.mark.parametrize(
    ("of_file", "of_config", "message"),
    [
        (True, False, "a fused RepVGG, .* builds a RepVGG, .* Set .*_backbone and .*DEPLOY True"),
        (False, True, "a RepVGG, .* a fused RepVGG, .*DEPLOY False .*convert_weights.py --fuse"),
    ],
)
def test_weights_of_the_other_form_are_refused_with_the_key(of_file, of_config, message):
    cfg = backbone_cfg(f"{A0} MODEL.HEADS.NUM_CLASSES 4", DEPLOY=of_file)
    weights = export_weights(build_model(cfg))
    cfg.MODEL.BACKBONE.DEPLOY = of_config
    with pytest.raises(ValueError, match=message):
        load_weights(build_model(cfg), weights)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{NAME} a0", r"DEPTH 'a0' is not a RepVGG; it must be one of \['A0', 'A1', 'A2', 'B0'"),
        (f"{NAME} A2", "FEAT_DIM is 2048, but DEPTH 'A2' gives 1408 channels"),
        *(
            (
                f"{A0} MODEL.BACKBONE.DEPLOY True MODEL.BACKBONE.NORM {norm}",
                f"DEPLOY True needs MODEL.BACKBONE.NORM BN or syncBN or FrozenBN, not {norm}",
            )
            for norm in ("GN", "IN", "bn")
        ),
    ],
)
def test_wrong_settings_name_the_right_ones(words, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(backbone_cfg(words))


def test_options_that_repvgg_does_not_have_are_logged(caplog):
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg(A0, WITH_IBN=True, WITH_SE=True, WITH_NL=True, DEPLOY=True))
    named = "MODEL.BACKBONE WITH_IBN True, WITH_SE True, WITH_NL True"
    assert caplog.messages == [f"build_repvgg_backbone has no such option: {named}"]


def test_networks_that_cannot_be_fused_say_so(caplog):
    with caplog.at_level(logging.WARNING):
        build_backbone(backbone_cfg("MODEL.BACKBONE.DEPTH tiny", FEAT_DIM=512, DEPLOY=True))
    assert "build_resnet_backbone has no such option: MODEL.BACKBONE DEPLOY True" in caplog.text


def test_norms_are_those_of_the_config():
    model = build_backbone(backbone_cfg(A0, NORM="syncBN"))
    norms = [cell for _, cell in model.cells_and_names() if hasattr(cell, "moving_mean")]
    assert len(norms) == 22 * 2 + 17
    assert not any(type(norm) is BatchNorm for norm in norms)


def two_blocks():
    return nn.SequentialCell(
        RepVGGBlock(BlockSpec(8, 16, stride=2)), RepVGGBlock(BlockSpec(16, 16))
    )


def test_recomputed_blocks_change_no_number():
    assert_recomputes(two_blocks(), channels=8)


def test_blocks_train_in_half_precision(pynative):
    assert_trains_in_half_precision(two_blocks(), channels=8)
